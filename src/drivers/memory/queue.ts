/** First in, first out, each also by its place from the oldest: a ring that is doubled when full, and halved when a quarter is left. */
export class Fifo<T> {
  /** As many as a power of two. */
  #ring: Array<T | undefined> = [undefined]
  #start = 0
  #size = 0

  get size (): number { return this.#size }

  /** The one so many places after the oldest; undefined outside. */
  at (place: number): T | undefined {
    return place >= 0 && place < this.#size ? this.#ring[this.#index(place)] : undefined
  }

  push (item: T): void {
    if (this.#size === this.#ring.length) this.#resize(this.#size * 2)
    this.#ring[this.#index(this.#size++)] = item
  }

  /** Takes the oldest out. */
  shift (): T | undefined {
    if (this.#size === 0) return undefined
    const item = this.#ring[this.#start]
    this.#ring[this.#start] = undefined
    this.#start = this.#index(1)
    this.#size--
    if (this.#ring.length > 1 && this.#size * 4 < this.#ring.length) this.#resize(this.#ring.length / 2)
    return item
  }

  replace (place: number, item: T): void { this.#ring[this.#index(place)] = item }

  #index (place: number): number { return (this.#start + place) & (this.#ring.length - 1) }

  #resize (length: number): void {
    const ring = new Array<T | undefined>(length)
    for (let place = 0; place < length; place++) ring[place] = this.at(place)
    this.#ring = ring
    this.#start = 0
  }
}
