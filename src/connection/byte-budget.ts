/** A holder of bytes that are charged to a budget. */
export interface Debtor {
  /** bytes that it holds */
  readonly owed: number
  /** Releases its bytes and terminates its connection. */
  cutOff (): void
}

/** Limits the bytes of one kind that the process holds for all connections together. */
export class ByteBudget {
  readonly #limit: number
  readonly #debtors: () => Iterable<Debtor>
  #held = 0
  /** Number of holders of each shared buffer. */
  readonly #shared = new Map<Uint8Array, number>()

  /** @param limit bytes */
  constructor (limit: number, debtors: () => Iterable<Debtor>) {
    this.#limit = limit
    this.#debtors = debtors
  }

  /**
   * Charges bytes that are held from now on. Above the limit it terminates the debtor that holds most, rather than the
   * one that was charged last.
   */
  charge (bytes: number): void {
    this.#held += bytes
    while (this.#held > this.#limit) {
      let largest: Debtor | undefined
      for (const debtor of this.#debtors()) {
        if (debtor.owed > (largest?.owed ?? 0)) largest = debtor
      }
      if (largest === undefined) return
      largest.cutOff()
    }
  }

  giveBack (bytes: number): void { this.#held -= bytes }

  /** Charges a shared buffer, once for all its holders. */
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
