import { RosterClosed } from '../../errors.ts'
import type { Member } from '../../store.ts'
import { MemoryRestrictions } from './restrictions.ts'
import type { Presence, Restriction, RestrictionsAt, Roster, Signal, TimedRestriction } from '../../roster.ts'

export interface MemoryRosterOptions {
  /** ms before a leave shows; 5 s */
  readonly grace?: number | undefined
  /** ms that changes are gathered before watchers are told; 100 ms */
  readonly coalesce?: number | undefined
  /** members listed; 100 */
  readonly listed?: number | undefined
}

interface Present { identity: Member, connections: number, leaving: NodeJS.Timeout | undefined }

interface Room {
  /** Who holds each connection, by member id. */
  readonly connections: Map<string, string>
  readonly members: Map<string, Present>
  readonly watchers: Set<(now: Presence) => void>
  readonly listeners: Set<(signal: Signal) => void>
  telling: NodeJS.Timeout | undefined
}

/** Who is here, in the memory of this process. */
export class MemoryRoster implements Roster {
  readonly #rooms = new Map<string, Room>()
  readonly #restrictions = new MemoryRestrictions()
  readonly #grace: number
  readonly #coalesce: number
  readonly #listed: number
  #closed = false

  constructor ({ grace = 5_000, coalesce = 100, listed = 100 }: MemoryRosterOptions = {}) {
    this.#grace = grace
    this.#coalesce = coalesce
    this.#listed = listed
  }

  async enter (name: string, connection: string, identity: Member): Promise<void> {
    const room = this.#room(name)
    if (room.connections.has(connection)) return
    room.connections.set(connection, identity.id)
    const present = room.members.get(identity.id)
    if (present === undefined) {
      room.members.set(identity.id, { identity, connections: 1, leaving: undefined })
      this.#tellSoon(room)
    } else {
      clearTimeout(present.leaving)
      present.leaving = undefined
      present.connections++
      if (present.identity.name === identity.name) return
      present.identity = identity
      this.#tellSoon(room)
    }
  }

  async leave (name: string, connection: string): Promise<void> {
    this.#assertOpen()
    const room = this.#rooms.get(name)
    const id = room?.connections.get(connection)
    if (room === undefined || id === undefined) return
    room.connections.delete(connection)
    const present = room.members.get(id)!
    if (--present.connections > 0) return
    present.leaving = setTimeout(() => {
      room.members.delete(id)
      this.#tellSoon(room)
      this.#forgetIfUnused(name, room)
    }, this.#grace).unref()
  }

  async watch (name: string, seen: (now: Presence) => void): Promise<() => void> {
    const room = this.#room(name)
    room.watchers.add(seen)
    seen(this.#presence(room))
    return () => {
      room.watchers.delete(seen)
      this.#forgetIfUnused(name, room)
    }
  }

  signal (name: string, signal: Signal): void {
    for (const heard of this.#rooms.get(name)?.listeners ?? []) heard(signal)
  }

  async listen (name: string, heard: (signal: Signal) => void): Promise<() => void> {
    const room = this.#room(name)
    room.listeners.add(heard)
    return () => {
      room.listeners.delete(heard)
      this.#forgetIfUnused(name, room)
    }
  }

  async restrict (who: string, what: Restriction): Promise<void> {
    this.#assertOpen()
    this.#restrictions.restrict(who, what)
  }

  async restrictions (who: readonly string[]): Promise<RestrictionsAt> {
    this.#assertOpen()
    return this.#restrictions.at(who)
  }

  onRestrict (listener: (who: string, what: TimedRestriction) => void): () => void {
    return this.#restrictions.subscribe(listener)
  }

  async check (): Promise<void> { this.#assertOpen() }

  async close (): Promise<void> {
    this.#closed = true
    for (const room of this.#rooms.values()) {
      clearTimeout(room.telling)
      for (const { leaving } of room.members.values()) clearTimeout(leaving)
    }
    this.#rooms.clear()
    this.#restrictions.close()
  }

  #assertOpen (): void {
    if (this.#closed) throw new RosterClosed()
  }

  #room (name: string): Room {
    this.#assertOpen()
    let room = this.#rooms.get(name)
    if (room === undefined) {
      room = { connections: new Map(), members: new Map(), watchers: new Set(), listeners: new Set(), telling: undefined }
      this.#rooms.set(name, room)
    }
    return room
  }

  #presence ({ members }: Room): Presence {
    const listed: Member[] = []
    for (const { identity } of members.values()) {
      if (listed.length === this.#listed) break
      listed.push(identity)
    }
    return { members: listed, count: members.size, stale: false }
  }

  #tellSoon (room: Room): void {
    room.telling ??= setTimeout(() => {
      room.telling = undefined
      const now = this.#presence(room)
      for (const seen of room.watchers) seen(now)
    }, this.#coalesce).unref()
  }

  #forgetIfUnused (name: string, room: Room): void {
    if (room.members.size + room.watchers.size + room.listeners.size === 0 && this.#rooms.get(name) === room) this.#rooms.delete(name)
  }
}
