/**
 * A position and a revision that no store knows. With it as `since`, a store answers a repeat, and refuses a request whose key it has
 * forgotten. It never stores content that the hooks of the app haven't seen. The client's own `since` doesn't suffice: the client chooses it.
 */
export const UNKNOWN_SINCE = '?'

/** The keys under which a store remembers the posts and changes of a member. */
export class RequestKeys {
  readonly #prefix: string

  constructor (memberId: string) {
    this.#prefix = `${memberId.length} ${memberId} `
  }

  /** Returns a key of the member's id and the id of a request. The length keeps two pairs of ids from making the same key. */
  of (id: string): string { return this.#prefix + id }
}
