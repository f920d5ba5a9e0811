/** What has a place in a `Recency`. */
export interface Recent<T> { older: T | undefined, newer: T | undefined }

/** Items in the order of their last use. An item is in one list at most, which it is linked into: each step takes the same time. */
export class Recency<T extends Recent<T>> {
  #oldest: T | undefined
  #newest: T | undefined

  get oldest (): T | undefined { return this.#oldest }

  /** Adds an item that is in no list, as the newest. */
  add (item: T): void {
    item.older = this.#newest
    if (this.#newest === undefined) this.#oldest = item
    else this.#newest.newer = item
    this.#newest = item
  }

  /** Takes out an item of this list. */
  delete (item: T): void {
    if (item.older === undefined) this.#oldest = item.newer
    else item.older.newer = item.newer
    if (item.newer === undefined) this.#newest = item.older
    else item.newer.older = item.older
    item.older = item.newer = undefined
  }

  clear (): void { this.#oldest = this.#newest = undefined }
}
