import type { Cursor, Entry, Position, Reaction, Revision } from './entry.ts'

export type { Reaction, Revision }

/**
 * A change's number with its revision. Changes are numbered 1, 2, 3 … without gaps in each epoch of a room. `number`: 0 before
 * the first change.
 */
export interface ChangeCursor { readonly number: number, readonly revision: Revision }

/** The newest entry of a room, and its newest change. */
export interface Head extends Cursor { readonly change: ChangeCursor }

/**
 * A change of one entry.
 * - `edit` replaces `body` and `data`. `data`: JSON text; without it, the entry has none afterwards.
 * - `delete` removes the content and the reactions. The entry keeps its offset, position, time, author and key.
 * - `react` adds (`on`) or removes a reaction of the member `by`. The caller MUST pass 1 to `MAX_REACTION` code points, without control
 *   characters and lone surrogates.
 * - `append` adds text without lone surrogates to an entry that is streaming. `at`: length of the text before it, in code points. It
 *   needs no key, because `at` identifies it. An empty text only renews the stream.
 * - `end` ends the streaming of an entry. `unfinished`: the rest of the text is missing.
 */
export type Change =
  | { readonly edit: { readonly body: string, readonly data?: string | undefined } }
  | { readonly delete: true }
  | { readonly react: string, readonly on: boolean }
  | { readonly append: string, readonly at: number }
  | { readonly end: true, readonly unfinished?: true | undefined }

/** A change to be made. */
export interface Amendment {
  /** Identifies an edit within its room, for deduplication. Apart from the keys of drafts. Any string. */
  readonly key?: string | undefined
  /** Hash of the edit before hooks. A repeat has the same hash. */
  readonly hash?: string | undefined
  /** Present on a repeated edit only: the client's revision when it first sent the edit. */
  readonly since?: Revision | undefined
  /** Id of the member who makes the change; `null` for the app. A member for `react`. */
  readonly by: string | null
  /** The change is allowed only if the author of the entry has this id. */
  readonly own?: string | undefined
  /** Present on an `end` only: it is made only if the stream was neither begun nor renewed within so many ms, by the store's clock. */
  readonly idle?: number | undefined
  readonly change: Change
}

/** The result of `amend`: the cursor of the change. `again`: nothing changed, because it is a repeat or has no effect. */
export type Amended = ChangeCursor & { readonly again: boolean }

/**
 * A change as a feed delivers it, with the cursor of the changed entry. `at`: when it was made, ms since 1970 by the store's clock.
 * `count`: of the reaction of a `react`, afterwards. Only `entry`, as a whole, if the feed knows the state of the entry but not
 * the changes that led to it: after a break of the connection to the backend, for example. `ended`: the entry of an `end`, afterwards,
 * without `mine`.
 */
export type Changed = Cursor & { readonly change: ChangeCursor, readonly at: number } & (
  | { readonly by: string | null, readonly made: PlainChange, readonly entry?: undefined }
  | { readonly by: string, readonly made: Extract<Change, { readonly react: string }>, readonly count: number, readonly entry?: undefined }
  | { readonly by: string | null, readonly made: Extract<Change, { readonly end: true }>, readonly ended: Entry, readonly entry?: undefined }
  | { readonly made?: undefined, readonly entry: Entry }
)

/** A change whose record has nothing but the change. */
export type PlainChange = Exclude<Change, { readonly react: string } | { readonly end: true }>

/**
 * A record of a room that concerns its memberships. It has a number in the list of changes, and concerns no entry.
 * - `remove` ends the memberships of a member. `reason`: for the member.
 * - `reauthorize`: the rights of a member, or without `member` of all members, are no longer known.
 */
export type Control =
  | { readonly remove: { readonly member: string, readonly reason: string } }
  | { readonly reauthorize: { readonly member?: string | undefined } }

/** A control as a feed delivers it. */
export interface Controlled { readonly change: ChangeCursor, readonly control: Control }

/** The changed entries of a page. */
export interface ChangedPage {
  /** The kept entries up to the position of the query that changed after its revision, each once, in the order of their last change. */
  readonly changed: readonly Entry[]
  /** `true` if further changed entries follow: read on with `revision`. */
  readonly moreChanged: boolean
  /** The last change that the page contains: that of the last of `changed` if `moreChanged`, else the newest one. */
  readonly revision: Revision
  /** The position of the oldest kept entry, present if an entry that changed after the requested revision was removed meanwhile. */
  readonly oldest?: Position | undefined
}
