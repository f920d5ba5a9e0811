import type { Member } from './store.ts'

/** Who is in a room. members: capped; count: all of them. stale: what is shown may be out of date. */
export interface Presence { readonly members: readonly Member[], readonly count: number, readonly stale: boolean }

/** What is shown at once and forgotten: someone is typing. */
export interface Signal { readonly typing: Member }

/**
 * What the app decided about a member, or about everyone at an address. A kick happens once. The others are in force for
 * their duration, in ms by the backend's clock; 0 lifts the one before. `Infinity`, and everything above `LONGEST_DURATION`,
 * counts as `LONGEST_DURATION`.
 */
export type Restriction =
  | { readonly kind: 'kick', readonly reason: string }
  | { readonly kind: 'mute' | 'ban', readonly duration: number, readonly reason: string }

/** 100 years, in ms. */
export const LONGEST_DURATION = 100 * 365.25 * 24 * 3_600_000

/** ms that a kick is kept, for nodes that are disconnected and connections that are still being authenticated. */
export const KICK_KEPT = 3_600_000

/**
 * A restriction with its place in the order of all. duration: ms left; 0 of one that was lifted or has ended. moment: a
 * number that is higher than that of every restriction before it, whatever any clock shows.
 */
export type TimedRestriction = Restriction & { readonly moment: number }

/** moment: no restriction up to it is missing, and none of later is among them. */
export interface RestrictionsAt { readonly moment: number, readonly restrictions: readonly TimedRestriction[] }

/** Who is here, and who may not be: state, not messages. Keyed by connection; a node's part ends with the node. */
export interface Roster {
  /** Holds until leave, or until this node's lease lapses. A member is one however many connections. */
  enter (room: string, connection: string, member: Member): Promise<void>

  /** Shows after a grace, so that who reconnects doesn't flicker. */
  leave (room: string, connection: string): Promise<void>

  /** The whole state (list capped) now and after changes, coalesced. Resolves to how to stop. */
  watch (room: string, seen: (now: Presence) => void): Promise<() => void>

  /** At most once, unordered, may be lost. */
  signal (room: string, signal: Signal): void

  /** Resolves when live, to how to stop. */
  listen (room: string, heard: (signal: Signal) => void): Promise<() => void>

  /**
   * Keeps one restriction of each kind for each subject, the last one. Resolves when the listeners of this roster were called
   * with it; those of other nodes are called when they have received it. Rejects INVALID_ARGUMENT, without effect, for a
   * kind, duration or reason of a wrong type or value.
   */
  restrict (who: string, what: Restriction): Promise<void>

  /**
   * The mutes and bans in force for any of these subjects, and their kicks, which are kept for an hour at least: with the
   * moment at which a connection came, its node knows those that concern it. Of no subject: the moment alone.
   */
  restrictions (who: readonly string[]): Promise<RestrictionsAt>

  /**
   * Calls the listener with every restriction from now on, of any node. A node that was out of touch catches up. One may be
   * reported more than once, and two in the wrong order: `moment` tells which is the later. Returns an unsubscribe function.
   */
  onRestrict (listener: (who: string, what: TimedRestriction) => void): () => void

  /** Rejects, within a bound, while nobody can enter a room or be told of it. */
  check (): Promise<void>

  /** Idempotent; afterwards every call rejects. */
  close (): Promise<void>
}
