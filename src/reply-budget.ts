/** Bytes of replies and replays, which no two clients share, that may wait in this process together. */
export class ReplyBudget {
  readonly #limit: number
  #waiting = 0

  /** @param limit bytes */
  constructor (limit: number) {
    this.#limit = limit
  }

  /** Gives whether so many more may wait; then they are charged until given back. */
  take (bytes: number): boolean {
    if (this.#waiting + bytes > this.#limit) return false
    this.#waiting += bytes
    return true
  }

  giveBack (bytes: number): void { this.#waiting -= bytes }
}
