/** First in, first out, each also by its place from the oldest: what was taken out is moved past, not moved. */
export class Fifo<T> {
  #items: Array<T | undefined> = []
  #start = 0

  get size (): number { return this.#items.length - this.#start }

  /** The one so many places after the oldest; undefined outside. */
  at (place: number): T | undefined { return place < 0 ? undefined : this.#items[this.#start + place] }

  push (item: T): void { this.#items.push(item) }

  /** Takes the oldest out. */
  shift (): T | undefined {
    if (this.size === 0) return undefined
    const item = this.#items[this.#start]
    // Forgotten at once: what the array holds is not given back before it is cut.
    this.#items[this.#start++] = undefined
    if (this.#start > 1_000 && this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start)
      this.#start = 0
    }
    return item
  }

  replace (place: number, item: T): void { this.#items[this.#start + place] = item }
}
