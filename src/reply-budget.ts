/** Someone for whom bytes wait that nobody else is sent. */
export interface Debtor {
  /** bytes */
  readonly owed: number
  /** Ends it, and gives back what it owes. */
  cutOff (): void
}

/** Bytes of replies and replays, which no two clients share, that may wait in this process together. */
export class ReplyBudget {
  readonly #limit: number
  readonly #debtors: () => Iterable<Debtor>
  #waiting = 0

  /** @param limit bytes */
  constructor (limit: number, debtors: () => Iterable<Debtor>) {
    this.#limit = limit
    this.#debtors = debtors
  }

  /** Charges what has begun to wait. Beyond the limit whoever owes most is cut off: not who happens to be answered next. */
  charge (bytes: number): void {
    this.#waiting += bytes
    while (this.#waiting > this.#limit) {
      let most: Debtor | undefined
      for (const debtor of this.#debtors()) {
        if (debtor.owed > (most?.owed ?? 0)) most = debtor
      }
      if (most === undefined) return
      most.cutOff()
    }
  }

  giveBack (bytes: number): void { this.#waiting -= bytes }
}
