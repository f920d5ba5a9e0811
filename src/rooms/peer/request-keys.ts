/** The keys under which a store remembers the posts and changes of a member. */
export class RequestKeys {
  readonly #memberId: string
  /** Undefined until the first request. */
  #prefix: string | undefined

  constructor (memberId: string) {
    this.#memberId = memberId
  }

  /** Returns a key of the member's id and the id of a request. The length keeps two pairs of ids from making the same key. */
  of (id: string): string {
    this.#prefix ??= `${this.#memberId.length} ${this.#memberId} `
    return this.#prefix + id
  }
}
