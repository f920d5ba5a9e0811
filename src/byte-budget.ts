/** Someone for whom bytes are held that are held for nobody else. */
export interface Debtor {
  /** bytes */
  readonly owed: number
  /** Ends it, and gives back what it owes. */
  cutOff (): void
}

/** Bytes of one kind that this process may hold for all connections together. */
export class ByteBudget {
  readonly #limit: number
  readonly #debtors: () => Iterable<Debtor>
  #held = 0

  /** @param limit bytes */
  constructor (limit: number, debtors: () => Iterable<Debtor>) {
    this.#limit = limit
    this.#debtors = debtors
  }

  /** Charges what has begun to be held. Beyond the limit the debtor that owes most is cut off, not the one that happens to come next. */
  charge (bytes: number): void {
    this.#held += bytes
    while (this.#held > this.#limit) {
      let most: Debtor | undefined
      for (const debtor of this.#debtors()) {
        if (debtor.owed > (most?.owed ?? 0)) most = debtor
      }
      if (most === undefined) return
      most.cutOff()
    }
  }

  giveBack (bytes: number): void { this.#held -= bytes }
}
