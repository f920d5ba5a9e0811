/** The keys under which a store remembers the posts and changes of a member. */
export class RequestKeys {
  readonly #prefix: string

  constructor (memberId: string) {
    this.#prefix = `${memberId.length} ${memberId} `
  }

  /** Returns a key of the member's id and the id of a request. The length keeps two pairs of ids from making the same key. */
  of (id: string): string { return this.#prefix + id }
}
