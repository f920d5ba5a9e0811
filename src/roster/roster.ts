import type { Identity } from '../store/store.ts'

/** Who is in a room. members: capped; count: all of them. stale: what is shown may be out of date. */
export interface Presence { readonly members: readonly Identity[], readonly count: number, readonly stale: boolean }

/** What is shown at once and forgotten: someone is typing. */
export interface Signal { readonly typing: Identity }

/** until: ms since the epoch; of a kick, which happens once, the moment it was said. */
export interface Restriction {
  readonly kind: 'kick' | 'mute' | 'ban'
  readonly until: number
  readonly reason: string
}

/** Who is here, and who may not be: state, not messages. Keyed by connection; a node's part ends with the node. */
export interface Roster {
  /** Holds until leave, or until this node's lease lapses. A member is one however many connections. */
  enter (room: string, connection: string, member: Identity): Promise<void>

  /** Shows after a grace, so that who reconnects doesn't flicker. */
  leave (room: string, connection: string): Promise<void>

  /** The whole state (list capped) now and after changes, coalesced. Resolves to how to stop. */
  watch (room: string, seen: (now: Presence) => void): Promise<() => void>

  /** At most once, unordered, may be lost. */
  signal (room: string, signal: Signal): void

  /** Resolves when live, to how to stop. */
  listen (room: string, heard: (signal: Signal) => void): Promise<() => void>

  /** State with an end; one of each kind for each who, the last said. Watchers are told. */
  restrict (who: string, what: Restriction): Promise<void>

  /** Those in force for any of these. */
  restrictions (who: readonly string[]): Promise<Restriction[]>

  /** Tells of every restrict from here on, said on any node. Gives how to stop. */
  onRestrict (told: (who: string, what: Restriction) => void): () => void

  /** Idempotent; afterwards every call rejects. */
  close (): Promise<void>
}
