import { RosterClosed } from '../../errors.ts'
import { LocalMembers } from '../local-members.ts'
import { MemoryDirectMessages } from './direct-messages.ts'
import { MemoryRestrictions } from './restrictions.ts'
import type { Presence, PresentMember, Restriction, RestrictionsAt, Roster, Signal, TimedRestriction } from '../../roster.ts'

export interface MemoryRosterOptions {
  /** ms before an absent member is reported; 5 s */
  readonly grace?: number | undefined
  /** ms that changes are collected before watchers are called; 100 ms */
  readonly coalesce?: number | undefined
  /** maximum number of listed members; 100 */
  readonly listed?: number | undefined
}

interface RosterRoom {
  readonly members: LocalMembers
  readonly watchers: Set<(presence: Presence) => void>
  readonly listeners: Set<(signal: Signal) => void>
  notifying: NodeJS.Timeout | undefined
}

/** A roster in the memory of this process. */
export class MemoryRoster implements Roster {
  readonly #rooms = new Map<string, RosterRoom>()
  readonly #directMessages = new MemoryDirectMessages()
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

  async enter (name: string, connection: string, member: PresentMember): Promise<void> {
    const room = this.#room(name)
    if (room.members.enter(connection, member)) this.#notifySoon(room)
  }

  async leave (name: string, connection: string): Promise<void> {
    this.#assertOpen()
    const room = this.#rooms.get(name)
    room?.members.leave(connection, () => {
      this.#notifySoon(room)
      this.#forgetIfUnused(name, room)
    })
  }

  async watch (name: string, onPresence: (presence: Presence) => void): Promise<() => void> {
    const room = this.#room(name)
    room.watchers.add(onPresence)
    onPresence(this.#presence(room))
    return () => {
      room.watchers.delete(onPresence)
      this.#forgetIfUnused(name, room)
    }
  }

  signal (name: string, signal: Signal): void {
    for (const onSignal of this.#rooms.get(name)?.listeners ?? []) onSignal(signal)
  }

  async listen (name: string, onSignal: (signal: Signal) => void): Promise<() => void> {
    const room = this.#room(name)
    room.listeners.add(onSignal)
    return () => {
      room.listeners.delete(onSignal)
      this.#forgetIfUnused(name, room)
    }
  }

  async send (memberId: string, data: string): Promise<boolean> {
    this.#assertOpen()
    return this.#directMessages.send(memberId, data)
  }

  async attend (memberId: string, onData: (data: string) => void): Promise<() => void> {
    this.#assertOpen()
    return this.#directMessages.attend(memberId, onData)
  }

  async restrict (subject: string, restriction: Restriction): Promise<void> {
    this.#assertOpen()
    this.#restrictions.restrict(subject, restriction)
  }

  async restrictions (subjects: readonly string[]): Promise<RestrictionsAt> {
    this.#assertOpen()
    return this.#restrictions.at(subjects)
  }

  onRestrict (listener: (subject: string, restriction: TimedRestriction) => void): () => void {
    return this.#restrictions.subscribe(listener)
  }

  async check (): Promise<void> { this.#assertOpen() }

  async close (): Promise<void> {
    this.#closed = true
    for (const room of this.#rooms.values()) {
      clearTimeout(room.notifying)
      room.members.close()
    }
    this.#rooms.clear()
    this.#directMessages.close()
    this.#restrictions.close()
  }

  #assertOpen (): void {
    if (this.#closed) throw new RosterClosed()
  }

  #room (name: string): RosterRoom {
    this.#assertOpen()
    let room = this.#rooms.get(name)
    if (room === undefined) {
      room = { members: new LocalMembers(this.#grace), watchers: new Set(), listeners: new Set(), notifying: undefined }
      this.#rooms.set(name, room)
    }
    return room
  }

  #presence ({ members }: RosterRoom): Presence {
    const listed: PresentMember[] = []
    for (const member of members) {
      if (listed.length === this.#listed) break
      listed.push(member)
    }
    return { members: listed, count: members.size, stale: false }
  }

  #notifySoon (room: RosterRoom): void {
    room.notifying ??= setTimeout(() => {
      room.notifying = undefined
      const presence = this.#presence(room)
      for (const onPresence of room.watchers) onPresence(presence)
    }, this.#coalesce).unref()
  }

  #forgetIfUnused (name: string, room: RosterRoom): void {
    if (room.members.size + room.watchers.size + room.listeners.size === 0 && this.#rooms.get(name) === room) this.#rooms.delete(name)
  }
}
