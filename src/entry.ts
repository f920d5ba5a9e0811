/** The author of a message. `name` is empty for a member without a name. */
export interface Member { readonly id: string, readonly name: string }

/**
 * Names one entry, or the beginning of a room's log (offset 0). Opaque to clients. To honour a position means to read from it,
 * or to change its entry. A store MUST NOT honour the position of an entry unless it keeps that very entry. It MUST honour the
 * position of the beginning until it removes the first entry.
 *
 * A position that a store returns MUST consist of 1 to 128 letters, digits, `.`, `_` and `-`, because it is written into
 * JSON without escaping. It MUST NOT contain `-.`, which separates positions on the wire. A position that a store receives may be
 * any string.
 */
export type Position = string

/** An offset with its position. `offset`: 0 before the first entry of a room. */
export interface Cursor { readonly offset: number, readonly position: Position }

/**
 * Names one change of a room, or the beginning of its changes. Opaque to clients. Consists of the same characters as a position,
 * and is never one. A store MUST NOT honour the revision of a change unless it remembers that very change.
 */
export type Revision = string

/** Members who reacted to an entry with the same text. `mine`: one of them is the member for whom the entry was read. */
export interface Reaction { readonly reaction: string, readonly count: number, readonly mine?: true }

/**
 * A stored message of a room. `offset` MUST be 1, 2, 3 … without gaps in each room. Entries that one node appends MUST be
 * numbered in the order of its calls.
 */
export interface Entry extends Cursor {
  /** Time of storage in ms since 1970, by the store's clock. MUST NOT be lower than that of the entry before. */
  readonly at: number
  /** `null` for a message of the app itself. */
  readonly from: Member | null
  readonly body: string | Uint8Array
  /** JSON text, exactly as in the draft. The property MUST be absent if the draft had none. */
  readonly data?: string | undefined
  /** Revision of its last change. This property and those below MUST be absent unless they apply. */
  readonly revision?: Revision | undefined
  /** Time of its last edit in ms since 1970. */
  readonly editedAt?: number | undefined
  /** The content was removed: `body` is an empty string. */
  readonly deleted?: true | undefined
  /** The text still grows. */
  readonly streaming?: true | undefined
  /** The streaming ended before the text was complete. */
  readonly unfinished?: true | undefined
  /** In the order of their first use. */
  readonly reactions?: readonly Reaction[] | undefined
}
