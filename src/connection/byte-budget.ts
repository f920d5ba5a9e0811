/** Someone for whom bytes are held. */
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
  /** How many hold each buffer that many share. */
  readonly #shared = new Map<Uint8Array, number>()

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

  /** Charges a buffer that many share: once, as long as one of them holds it. */
  share (buffer: Uint8Array): void {
    const holders = this.#shared.get(buffer) ?? 0
    this.#shared.set(buffer, holders + 1)
    if (holders === 0) this.charge(buffer.length)
  }

  release (buffer: Uint8Array): void {
    const holders = this.#shared.get(buffer)!
    if (holders > 1) {
      this.#shared.set(buffer, holders - 1)
    } else {
      this.#shared.delete(buffer)
      this.giveBack(buffer.length)
    }
  }
}
