import type { Amended, Amendment, ChangeCursor, Changed, ChangedPage, Control, Controlled, Head } from './change.ts'
import type { Cursor, Entry, Member, Position, Revision } from './entry.ts'

export type { Cursor, Entry, Member, Position }

/**
 * The result of `append`: the cursor of the new entry and its `at`, or, with `again: true`, the cursor of the entry that the
 * draft repeats.
 */
export type Appended = Cursor & ({ readonly again: false, readonly at: number } | { readonly again: true })

/** A message to be stored. A store MUST return `from`, `body` and `data` unchanged: text as text, bytes as bytes. */
export interface Draft {
  /** Identifies the post within its room, for deduplication. Consists of the ids of the member and the post. Any string. */
  readonly key?: string | undefined
  /** Hash of the content before hooks. A repeat has the same hash. */
  readonly hash?: string | undefined
  /** Present on a repeated post only: the client's position when it first sent the post. The position's entry may be trimmed. */
  readonly since?: Position | undefined
  readonly from: Member | null
  readonly body: string | Uint8Array
  /** JSON text. */
  readonly data?: string | undefined
  /** The text will grow by `append` changes until an `end`. Only for text. */
  readonly streaming?: true | undefined
}

/** Consecutive entries of a room, oldest first, and the entries before them that changed. */
export interface Page extends ChangedPage {
  readonly entries: readonly Entry[]
  /** `false` if entries or changes may be missing between the requested position and revision and this page. */
  readonly complete: boolean
  /** `true` if further entries are kept in the direction of reading. */
  readonly more: boolean
  /** The newest entry and change of the room when the page was read; the room's beginning (`offset: 0`) if there is none. */
  readonly head: Head
  /** Present if the query has a `readPosition`: number of the kept entries after it, or of all kept entries if it isn't honoured. */
  readonly unread?: number | undefined
}

/** Maximum number of rooms in which a store keeps the read position of a member. */
export const MAX_READ_POSITIONS = 1_000

/**
 * The read position of a member that has read nothing. A position that a store returns isn't empty, so no store honours it: all kept
 * entries are unread.
 */
export const NOTHING_READ: Position = ''

/** ms between the last use of a member's read positions and their removal: 90 days. */
export const READ_POSITIONS_TTL = 90 * 24 * 3_600_000

/** The last entry of a room that a member has read: its cursor and its time. */
export interface ReadPosition extends Cursor { readonly room: string, readonly at: number }

/** What a feed delivers: controls, then entries, then changes. */
export interface FeedPage {
  /**
   * Present if there are any. Their numbers rise. The follower applies them before it uses the rest of the page. An entry or a change
   * that was stored after a control MUST NOT be delivered before the control, or without it.
   */
  readonly controls?: readonly Controlled[] | undefined
  /** Oldest first. */
  readonly entries: readonly Entry[]
  /**
   * Of entries that were delivered before, or are in this page, or are older than the subscription. Their numbers rise. A number
   * may be missing only if the effect of that change is part of an entry or a record that was delivered.
   */
  readonly changes: readonly Changed[]
  /** `false` if entries or changes may be missing between the last delivered ones and `head`. */
  readonly complete: boolean
  /** What the follower has reached with this page. */
  readonly head: Head
}

/**
 * Selects the entries after a position, the entries before it, or the newest entries. `limit`: number of entries; 0 for none.
 * `maxBytes`: total content in bytes, of `body` and `data` as UTF-8 at least. The entry nearest to the position, or the
 * newest one, MUST be returned even if it alone exceeds `maxBytes`. Both bounds hold for `entries` and for `changed`, each alone.
 *
 * `revision`: selects also the entries up to `after` that changed after it. `for`: id of the member whose reactions are `mine`.
 * `use`: `false` for a read that doesn't count as a use of the room. It MUST NOT create the room or delay its removal. `readPosition`: selects
 * the number of unread entries, counted when the page is read. It may be `NOTHING_READ`.
 */
export type Query = {
  readonly limit: number
  readonly maxBytes: number
  readonly for?: string | undefined
  readonly use?: boolean | undefined
  readonly readPosition?: Position | undefined
} & (
  | { readonly after?: undefined, readonly before?: undefined, readonly revision?: undefined }
  | { readonly after: Position, readonly revision?: Revision | undefined, readonly before?: undefined }
  | { readonly before: Position, readonly after?: undefined, readonly revision?: undefined }
)

/** A subscription to a room's entries. */
export interface Feed {
  /** The newest entry and change when the subscription began; the room's beginning if there is none. */
  readonly head: Head
  /** Ends the subscription. `deliver` MUST NOT be called after it returns. Idempotent; MUST NOT throw, even after `close`. */
  stop (): void
}

/**
 * Stores and publishes the messages of rooms. Both are one step, so they are one interface. Every method that returns a
 * promise MUST reject rather than throw. A room name is 1 to 64 letters, digits and `._:-`; `__proto__` is a valid name. A
 * room that was never used is an empty room.
 *
 * STALE, BUSY and so on stand for the errors with these codes in `errors.ts`. Each method rejects with BUSY, UNAVAILABLE or
 * UNKNOWN in the cases that `append` lists. A store may reject with further codes for faults of its own backend.
 */
export interface Store {
  /**
   * Stores a draft as the room's newest entry and publishes it to all followers on every node. Resolves once the entry
   * is as durable as the backend makes it. MUST settle within a bounded time, and MUST bound the pending calls.
   *
   * If the room remembers `key`, the store MUST NOT store the draft again. It resolves with the cursor of the first entry
   * and `again: true`, regardless of `since`. This MUST hold for simultaneous repeats too. A key MUST be remembered as long as
   * its entry is kept, and SHOULD be remembered longer. A draft without a key is always new.
   *
   * Rejects with
   * - REUSED if `key` is known with another `hash`;
   * - STALE if `since` is present, `key` is unknown, and the store can't rule out that it stored and forgot the key: a
   *   key may have been forgotten since that position, or the position isn't of this room and epoch;
   * - BUSY if a bound is reached: nothing is stored;
   * - UNAVAILABLE if the backend can't store: nothing is stored;
   * - UNKNOWN if the entry may or may not be stored: the caller repeats the post with the same key.
   *
   * A rejected draft MUST leave nothing behind and MUST NOT take an offset, except with UNKNOWN.
   */
  append (room: string, draft: Draft): Promise<Appended>

  /** Resolves with the cursor of the durable entry that was stored under a key. Resolves with `undefined` for an unknown key. */
  find (room: string, key: string): Promise<Cursor | undefined>

  /**
   * Resolves with a page of entries, oldest first. Without `after` and `before`, the page has the newest entries. With `after`
   * or `before`, it has the entries on that side of the position that are nearest to it.
   *
   * The store MUST NOT honour a position whose entry isn't kept, is in another room or another epoch, or never existed,
   * a forged position included. For such a position the page has `complete: false` and the newest entries. The same holds for
   * a revision.
   *
   * A page MUST NOT be older than an entry or a change that this store has acknowledged or delivered before the call.
   *
   * A room doesn't use a page until its feed has delivered `head.change` of the page, or a later change, or a break. The feed MUST deliver
   * one of them: otherwise the page is never used. So a change MUST have the same revision in each page and in each feed, revisions of
   * different epochs MUST differ, and a feed MUST report a break after a page of another epoch was read.
   */
  read (room: string, query: Query): Promise<Page>

  /**
   * Subscribes to a room. Resolves once every later entry will be delivered. A room may have any number of followers.
   *
   * `deliver` MUST receive exactly the entries and changes after `head`, in order, each once, including those of this node, and each
   * change after its entry. This MUST hold across a lost and restored connection to the backend. Entries with all changes so far
   * MUST be equal to those that `read` returns. A page MUST NOT change after it was delivered.
   *
   * `deliver` MUST NOT be called before the reactions of the returned promise have run, from within `append` or `amend`, or from
   * within another call of `deliver`. If it throws, the store MUST keep delivering to this follower and to all others.
   *
   * A page with `complete: false` and without entries reports a break: entries and changes between the last ones delivered and
   * `page.head` may be missing. Delivery continues after `page.head`. A store MUST NOT leave a gap without such a page. The page has
   * the controls between the last ones delivered and the break that are still remembered, or that `clear` removed. They are of the epoch
   * before the break. Controls of several epochs are reported as several breaks.
   */
  follow (room: string, deliver: (page: FeedPage) => void): Promise<Feed>

  /** Resolves with the entry at a position; with undefined if the position isn't honoured. @param options `for`: see `Query` */
  get (room: string, position: Position, options?: { readonly for?: string | undefined }): Promise<Entry | undefined>

  /**
   * Changes one entry and publishes the change to all followers on every node, in one step. The store keeps the entry as it is
   * afterwards. Resolves once the change is as durable as the backend makes it.
   *
   * A change without an effect resolves with `again: true` and the newest change of the entry, or of the room if the entry never
   * changed: an edit to the same content, a second deletion, a reaction that is there already, an `append` of what the text of the entry
   * has at `at`, an `end` of an entry that isn't streaming or not idle for long enough. It is not published. The
   * same holds for an edit whose `key` the room remembers, with the cursor of that edit. The last edit that the store receives wins.
   *
   * A stream is renewed by an `append` at the length of its text, with an effect or of no text. A repeat with `again` MUST NOT renew it,
   * whether of the draft or of an `append`.
   *
   * A change MUST be remembered as long as its entry is kept, and SHOULD be remembered longer. The number of remembered changes
   * is bounded, as that of the keys of drafts is: beyond it, the oldest are forgotten, but never the newest. The key of an edit is
   * remembered with its change. So is the key of an edit without an effect; if there is no space for it, the edit counts as one that has an effect.
   * Other changes need no key.
   *
   * Rejects as `append` does, and with the first of these that applies:
   * - REUSED and STALE for an edit, as `append`;
   * - NOT_KEPT if the position isn't honoured;
   * - FORBIDDEN if `own` is present and isn't the id of the author;
   * - DELETED if the entry is deleted and the change isn't a deletion;
   * - STREAM_ENDED for an `append` to an entry that isn't streaming;
   * - INVALID_CHANGE for an edit if the body of the entry isn't text, or it is streaming; for an `append` if `at` isn't the length of the
   *   text, or the text would exceed `MAX_STREAM_BYTES`;
   * - TOO_MANY_REACTIONS beyond `MAX_REACTIONS` different reactions or `MAX_REACTION_PAIRS` reactions of an entry, or beyond the
   *   bytes that the store keeps for reactions.
   */
  amend (room: string, position: Position, amendment: Amendment): Promise<Amended>

  /**
   * Stores a control and publishes it to all followers on every node, in one step. Creates the room if necessary. Resolves once the control
   * is as durable as the backend makes it. It is remembered as changes are. A follower that may have missed one that isn't
   * remembered MUST receive a page that reports a break. Rejects as `append` does.
   */
  control (room: string, control: Control): Promise<ChangeCursor>

  /** Resolves with the cursor of the durable edit that was stored under a key. Resolves with `undefined` for an unknown key. */
  findChange (room: string, key: string): Promise<ChangeCursor | undefined>

  /**
   * Moves read positions of a member. One record of the member has those of all its rooms; it is as durable as entries are. Creates no
   * room, and doesn't count as a use of one. The caller MUST pass at most one position of a room, each as `get` or `append` has returned it.
   *
   * A read position MUST NOT move back: a position is ignored if the kept one has a higher `at`, or, in the same epoch, the same `at`
   * and at least the same `offset`. A record has at most `MAX_READ_POSITIONS`: beyond it, those with the lowest `at` are removed. Records
   * count towards the bound of the store in bytes as rooms do, and the least recently used are removed first.
   *
   * A record SHOULD be removed `READ_POSITIONS_TTL` after its last use, which is a call of this method or of `readPositions`.
   */
  markRead (memberId: string, positions: readonly ReadPosition[]): Promise<void>

  /** Resolves with the read positions of a member, in the order of the room names as strings. @param room only the read position in this room */
  readPositions (memberId: string, room?: string): Promise<readonly ReadPosition[]>

  /**
   * Removes the read position of a member in a room, if there is one. With `upTo`, keeps one that would replace `upTo` in `markRead`: it was
   * marked later. Only the `offset`, `position` and `at` of `upTo` are used. The comparison and the removal MUST be one step.
   */
  forgetRead (memberId: string, room: string, upTo?: Omit<ReadPosition, 'room'>): Promise<void>

  /**
   * Returns the names of the kept rooms, in pages. A room that is created or removed meanwhile may be missing. The name of a room that
   * is used meanwhile may appear twice.
   */
  rooms (): AsyncIterable<readonly string[]>

  /**
   * Removes all entries, changes and keys of a room and begins another epoch. The store MUST NOT honour a position or a revision of
   * an earlier epoch, even after the room has reached the same numbers again. Each follower MUST receive a page that reports the break, with a
   * `head` of the new epoch. Resolves once durable.
   */
  clear (room: string): Promise<void>

  /** Resolves if appends can succeed. Otherwise rejects within a bounded time. */
  check (): Promise<void>

  /**
   * Releases the resources of the store. Idempotent; settles within a bounded time. Every pending call MUST settle. Every later
   * call MUST reject with CLOSED. `deliver` MUST NOT be called after the promise resolves. A client that the app passed in
   * MUST stay open.
   */
  close (): Promise<void>
}
