/** The links of an item in a `Recency` list. */
export interface Recent<T> { older: T | undefined, newer: T | undefined }

/** A linked list of items in the order of their last use. An item is in at most one list. Operations take constant time. */
export class Recency<T extends Recent<T>> {
  #oldest: T | undefined
  #newest: T | undefined

  get oldest (): T | undefined { return this.#oldest }
  get newest (): T | undefined { return this.#newest }

  /** Adds an item as the newest. It must not be in a list. */
  add (item: T): void {
    item.older = this.#newest
    if (this.#newest === undefined) this.#oldest = item
    else this.#newest.newer = item
    this.#newest = item
  }

  /** Removes an item, which must be in this list. */
  delete (item: T): void {
    if (item.older === undefined) this.#oldest = item.newer
    else item.older.newer = item.newer
    if (item.newer === undefined) this.#newest = item.older
    else item.newer.older = item.older
    item.older = item.newer = undefined
  }

  clear (): void { this.#oldest = this.#newest = undefined }
}
