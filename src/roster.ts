import type { Member } from './store.ts'

/** A member as a room shows it. data: JSON text of the app, such as a picture or a role, of at most 1 KiB. The caller checks it. */
export interface PresentMember extends Member { readonly data?: string }

/** The members of a room. A roster MUST NOT change an object that it has passed to a watcher. */
export interface Presence {
  /** At most as many members as the roster lists. Each member is listed once. */
  readonly members: readonly PresentMember[]
  /** The exact number of members, on all nodes. */
  readonly count: number
  /** `true` if the state may be out of date, because the backend can't be reached. */
  readonly stale: boolean
}

/**
 * An event that is delivered now and stored nowhere: a member types (`on`) or stops typing, or an event of the app's own.
 * from: the sender; null for the app. data: JSON text, whose size the caller bounds.
 */
export type Signal =
  | { readonly typing: Member, readonly on: boolean }
  | { readonly from: Member | null, readonly data: string }

/**
 * A restriction of a subject: a member id or an address. A kick closes the connections that exist at its moment.
 * A mute or a ban is in force for `duration` ms, counted by the backend's clock; 0 lifts it. A node's own clock MUST NOT
 * change a duration. A duration is rounded up to an integer; more than 100 years (3,155,760,000,000 ms), `Infinity` included,
 * counts as 100 years.
 */
export type Restriction =
  | { readonly kind: 'kick', readonly reason: string }
  | { readonly kind: 'mute' | 'ban', readonly duration: number, readonly reason: string }

/** Longest duration of a mute or a ban: 100 years, in ms. */
export const LONGEST_DURATION = 100 * 365.25 * 24 * 3_600_000

/** ms that a kick is kept, for nodes that are disconnected and for connections that are being authenticated. */
export const KICK_KEPT = 3_600_000

/**
 * A restriction as it is kept. `duration`: ms left; 0 for a mute or ban that was lifted or has ended. `moment`: a number
 * that MUST be higher than that of every earlier restriction on any node, even if a clock is set back.
 */
export type TimedRestriction = Restriction & { readonly moment: number }

/** The restrictions at a moment. Contains every active restriction up to `moment` and no later one. */
export interface RestrictionsAt { readonly moment: number, readonly restrictions: readonly TimedRestriction[] }

/**
 * Keeps the members of rooms, and the restrictions of the app. A member is present while any node has one of its
 * connections. Each connection has an id that is unique on all nodes. Every method that returns a promise MUST reject rather
 * than throw. Any non-empty string is a valid room, member id or subject, including `__proto__`.
 *
 * Each node that shares a backend holds a lease on its presence entries. They MUST expire with the lease when the node dies.
 */
export interface Roster {
  /**
   * Adds a member's connection to a room, until `leave` or until this node's lease expires. A member with several
   * connections counts once. It has the name and the data of the last `enter` on any node: without data, it has none. A change
   * of either MUST be reported to watchers. A connection that is already in the room changes nothing.
   */
  enter (room: string, connection: string, member: PresentMember): Promise<void>

  /**
   * Removes a connection from a room. Once a member's last connection is removed, its absence MUST be reported after a
   * grace period. A member that enters again within that period, on any node, MUST NOT be reported absent. An unknown connection
   * changes nothing.
   */
  leave (room: string, connection: string): Promise<void>

  /**
   * Watches a room. The watcher MUST receive the whole state once before the promise resolves, and again after changes.
   * Changes that are close in time SHOULD be reported together. Resolves with an idempotent unsubscribe function. The watcher
   * MUST NOT be called after that function returns.
   */
  watch (room: string, onPresence: (presence: Presence) => void): Promise<() => void>

  /** Sends a signal to the listeners of a room on every node, at most once, in any order. It may be lost. MUST NOT throw. */
  signal (room: string, signal: Signal): void

  /**
   * Listens for the signals of a room. Resolves with an idempotent unsubscribe function, once later signals will be received.
   * The listener MUST NOT be called after that function returns.
   */
  listen (room: string, onSignal: (signal: Signal) => void): Promise<() => void>

  /**
   * Passes `data`, a JSON text of the chat, to every attendance of a member on every node, to each at most once. Nothing is stored.
   * Messages SHOULD arrive in the order of the calls on one node. Resolves with `true` if a node attended the member when the data
   * was passed on. The data may still be lost afterwards.
   *
   * Rejects with INVALID_ARGUMENT, without effect, unless `memberId` and `data` are non-empty strings. The caller ensures that
   * `data` is JSON, and bounds its size.
   */
  send (memberId: string, data: string): Promise<boolean>

  /**
   * Attends a member that has a connection on this node: calls the listener with the data of each later `send` to the member.
   * Several attendances of a member are independent, also with the same listener: each receives the data. Resolves with an
   * idempotent unsubscribe function, once later data will be received. The listener MUST NOT be called after that function
   * returns.
   *
   * After a lost connection to the backend, the roster MUST restore the attendance by itself. Data that was sent meanwhile is lost.
   * If the backend can't be reached now, the call resolves when the attempt has failed, and the attendance begins later.
   *
   * Rejects with INVALID_ARGUMENT unless `memberId` is a non-empty string and `onData` a function.
   */
  attend (memberId: string, onData: (data: string) => void): Promise<() => void>

  /**
   * Keeps a restriction. It replaces the restriction of the same kind for the same subject. Resolves once the restriction is
   * kept and the listeners of this roster were called with it. The listeners of another node are called when that node
   * receives it.
   *
   * Rejects with INVALID_ARGUMENT, without effect, unless
   * - `subject` is a non-empty string;
   * - `restriction` is an object without other properties than `kind`, `reason` and, for a mute or a ban, `duration`;
   * - `kind` is `'kick'`, `'mute'` or `'ban'`;
   * - `duration` is a number of at least 0, or `Infinity`; `NaN` isn't valid;
   * - `reason` is a string of at most 123 bytes of UTF-8 (a close frame holds no more), without lone surrogates.
   */
  restrict (subject: string, restriction: Restriction): Promise<void>

  /**
   * Resolves with the current moment and, for these subjects, the active mutes and bans and at least the kicks of the last
   * hour. Without subjects, it resolves with the moment alone. A node requests the moment for each new connection:
   * only kicks with a later moment apply to the connection.
   */
  restrictions (subjects: readonly string[]): Promise<RestrictionsAt>

  /**
   * Calls the listener for every later restriction of any node, including a lifted one. After a lost connection the roster
   * MUST report the restrictions that it may have missed. It may report a restriction more than once, and restrictions in any
   * order: the one with the higher `moment` is the later one. Returns an idempotent unsubscribe function.
   */
  onRestrict (listener: (subject: string, restriction: TimedRestriction) => void): () => void

  /** Resolves if members can enter rooms and watchers receive changes. Otherwise MUST reject within a bounded time. */
  check (): Promise<void>

  /**
   * Removes this node's members and releases the resources of the roster. Other nodes MUST report a removed member absent only
   * after a grace period, so that it can connect to another node. Idempotent. Every later call that returns a promise MUST
   * reject with ROSTER_CLOSED. Watchers and listeners MUST NOT be called after the promise resolves.
   */
  close (): Promise<void>
}
