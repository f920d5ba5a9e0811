/** A queue with access by index. Its ring doubles when it is full, and halves when less than a quarter is used. */
export class RingQueue<T> {
  /** Its length is a power of two. */
  #ring: Array<T | undefined> = [undefined]
  #start = 0
  #size = 0

  get size (): number { return this.#size }

  /** Returns the item at an index; undefined if there is none. The oldest item has index 0. */
  at (index: number): T | undefined {
    return index >= 0 && index < this.#size ? this.#ring[this.#slot(index)] : undefined
  }

  push (item: T): void {
    if (this.#size === this.#ring.length) this.#resize(this.#size * 2)
    this.#ring[this.#slot(this.#size++)] = item
  }

  /** Removes the oldest item and returns it. */
  shift (): T | undefined {
    if (this.#size === 0) return undefined
    const item = this.#ring[this.#start]
    this.#ring[this.#start] = undefined
    this.#start = this.#slot(1)
    this.#size--
    if (this.#ring.length > 1 && this.#size * 4 < this.#ring.length) this.#resize(this.#ring.length / 2)
    return item
  }

  replace (index: number, item: T): void { this.#ring[this.#slot(index)] = item }

  #slot (index: number): number { return (this.#start + index) & (this.#ring.length - 1) }

  #resize (length: number): void {
    const ring = new Array<T | undefined>(length)
    for (let index = 0; index < length; index++) ring[index] = this.at(index)
    this.#ring = ring
    this.#start = 0
  }
}
