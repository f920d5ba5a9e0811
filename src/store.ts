/** Who a message is from. `name` is empty for someone who gave none. */
export interface Member { readonly id: string, readonly name: string }

/**
 * Names one entry; honoured only if that very entry is kept. Opaque to clients. A store's own must be 1 to 128 letters,
 * digits and `._-`: they are put into JSON as they are.
 */
export type Position = string

export interface Cursor { readonly n: number, readonly position: Position }

/** n: 1, 2, 3 … without holes. at: the store's clock in ms, never falling. from: null for the app itself. data: JSON text. */
export interface Entry extends Cursor {
  readonly at: number
  readonly from: Member | null
  readonly body: string | Uint8Array
  readonly data?: string | undefined
}

/**
 * key: of the post, made of the member's id and the client's. hash: of its content before hooks.
 * since: on a post sent again, the client's place when it first sent it. data: JSON text; stores keep it as it is.
 */
export interface Draft {
  readonly key?: string | undefined
  readonly hash?: string | undefined
  readonly since?: Position | undefined
  readonly from: Member | null
  readonly body: string | Uint8Array
  readonly data?: string | undefined
}

/** more: further entries lie in the direction read. head: the newest when read. */
export interface Page {
  readonly entries: readonly Entry[]
  readonly complete: boolean
  readonly more: boolean
  readonly head: Cursor
}

/** limit: entries. maxBytes: of all their content; one entry is given even if it alone is larger. */
export type Query = { readonly limit: number, readonly maxBytes: number } & (
  | { readonly after?: Position | undefined, readonly before?: undefined }
  | { readonly before: Position, readonly after?: undefined }
)

/** After stop() returns, deliver is not called again. */
export interface Feed { readonly head: Cursor, stop (): void }

/** What a room's messages are kept in. Saving and publishing are one step, so they are one interface. */
export interface ChatStore {
  /**
   * Resolves when durable. A known key gives its first mark, again: true. Rejects STALE (can't know whether this repeat
   * was stored), REUSED (same key, other content), BUSY, UNAVAILABLE (not stored), UNKNOWN (perhaps stored: send the
   * same key again). Bounded in time and in flight.
   */
  append (room: string, draft: Draft): Promise<Cursor & { readonly again: boolean }>

  /** The mark of a remembered key. */
  find (room: string, key: string): Promise<Cursor | undefined>

  /**
   * Oldest first. Neither after nor before: the newest. A position whose entry isn't kept, is of another room, another
   * life of the store, or never was: complete: false and the newest. Never older than anything acked or delivered here.
   */
  read (room: string, query: Query): Promise<Page>

  /**
   * Resolves when live. deliver gets exactly the entries after head, in order, once; never before the promise's
   * reactions have run, never from within append; a throw is the follower's own. complete: false: what lies between
   * the last entry and page.head is not vouched for; carry on from head. Survives breaks. Many may follow.
   */
  follow (room: string, deliver: (page: Page) => void): Promise<Feed>

  /**
   * Removes the content of one entry; its place stays. An entry that isn't kept changes nothing. Rejects INVALID_ARGUMENT,
   * without effect, when the position is not a string or is empty.
   */
  erase (room: string, position: Position): Promise<void>

  /** Removes all entries and keys of a room; its positions are no longer kept. */
  clear (room: string): Promise<void>

  /** Rejects, within a bound, while appends can't succeed. */
  check (): Promise<void>

  /** Idempotent, bounded; afterwards every call rejects CLOSED. A client passed in stays the caller's. */
  close (): Promise<void>
}
