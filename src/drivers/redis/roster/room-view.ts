import { isSameMember } from '../../local-members.ts'
import type { RedisClient } from '../client/client.ts'
import type { Member } from '../../../store.ts'
import { presenceChannel, roomKeys, signalChannel } from './keys.ts'
import type { Lease } from './lease.ts'
import { removeNode, type MemberWriter } from './member-writer.ts'
import { RoomData } from './room-data.ts'
import { readMembers } from './scripts/members.ts'
import { decodeSignal } from './signals.ts'
import { Subscription } from './subscription.ts'
import type { SharedData } from './shared-data.ts'
import type { Semaphore } from './semaphore.ts'
import type { Presence, PresentMember, Signal } from '../../../roster.ts'

interface RoomViewOptions {
  readonly client: RedisClient
  readonly lease: Lease
  readonly semaphore: Semaphore
  readonly sharedData: SharedData
  /** ms that changes are collected before a read */
  readonly coalesce: number
  /** maximum number of listed members */
  readonly listed: number
  /** Returns whether this node has written and read everything since the last disconnect. */
  readonly isCurrent: () => boolean
  /** Returns the writer of the room's members on this node. */
  readonly writer: () => MemberWriter | undefined
  /** Called when Redis has lost updates of this node. */
  readonly onUpdatesLost: () => void
}

/** The members of a room in Redis. nodes: the number of the last update of each node. */
interface State { readonly count: number, readonly members: PresentMember[], readonly nodes: Map<string, number> }

/** Presence of one room, as its watchers on this node receive it. */
export class RoomView {
  readonly #room: string
  readonly #options: RoomViewOptions
  /** Watchers. The value is whether the watcher has received the state. */
  readonly #watchers = new Map<(presence: Presence) => void, boolean>()
  readonly #listeners = new Set<(signal: Signal) => void>()
  readonly #data: RoomData
  readonly #subscription: Subscription
  readonly #signals: Subscription
  #current: Presence | undefined
  #nodes: readonly string[] = []
  #reading: NodeJS.Timeout | undefined
  #closed = false

  constructor (room: string, options: RoomViewOptions) {
    this.#room = room
    this.#options = options
    this.#data = new RoomData(options.sharedData)
    this.#subscription = new Subscription(options.client, presenceChannel(options.client, room), (message) => this.#onMessage(message))
    this.#signals = new Subscription(options.client, signalChannel(options.client, room), (message) => {
      const signal = decodeSignal(message)
      if (signal !== undefined) this.#onSignal(signal)
    })
  }

  get isUsed (): boolean { return this.#watchers.size + this.#listeners.size > 0 }

  get isStale (): boolean { return this.#current?.stale ?? false }

  /** Nodes that had members in the room when it was last read. */
  get nodes (): readonly string[] { return this.#nodes }

  /** Calls a function with the state, and after changes. Resolves with an unsubscribe function after the first call. */
  async watch (onPresence: (presence: Presence) => void): Promise<() => void> {
    // The same function may watch twice.
    const watcher = (presence: Presence) => onPresence(presence)
    this.#watchers.set(watcher, false)
    await this.refresh()
    if (this.#watchers.has(watcher)) {
      this.#watchers.set(watcher, true)
      watcher(this.#current!)
    }
    return () => { this.#watchers.delete(watcher) }
  }

  /**
   * Calls a function with each signal. Resolves with an unsubscribe function when the subscriptions are live. While Redis is down,
   * resolves when the attempt to subscribe has failed.
   */
  async listen (onSignal: (signal: Signal) => void): Promise<() => void> {
    const listener = (signal: Signal) => onSignal(signal)
    this.#listeners.add(listener)
    await Promise.all([this.#subscription.start(), this.#signals.start()]).catch(() => { /* retried when the room is read */ })
    return () => { this.#listeners.delete(listener) }
  }

  /** Reads the state and reports it to the watchers. If the read fails, reports the last state with `stale: true`. */
  async refresh (): Promise<void> {
    await this.#options.semaphore.run(() => this.#read())
  }

  /** Reports the last state with `stale: true`. */
  markStale (): void {
    this.#update({ ...this.#current ?? this.#local(), stale: true })
  }

  close (): void {
    this.#closed = true
    clearTimeout(this.#reading)
    this.#data.close()
    this.#watchers.clear()
    this.#listeners.clear()
    this.#subscription.stop()
    this.#signals.stop()
  }

  #onMessage (message: Buffer): void {
    if (message.length === 0) return this.#readSoon()
    this.#onSignal({ typing: JSON.parse(message.toString()) as Member, on: true })
  }

  #onSignal (signal: Signal): void {
    for (const onSignal of this.#listeners) onSignal(signal)
  }

  #readSoon (): void {
    if (this.#closed || this.#watchers.size === 0) return
    this.#reading ??= setTimeout(() => {
      this.#reading = undefined
      this.refresh().catch(() => {})
    }, this.#options.coalesce).unref()
  }

  /** Removes the members of dead nodes from Redis, and reads the state. */
  async #read (): Promise<void> {
    const { client, lease, isCurrent } = this.#options
    if (this.#closed) return
    if (!isCurrent()) return this.markStale()
    try {
      await this.#subscription.start()
      if (this.#listeners.size > 0) await this.#signals.start()
      let state = await this.#readState()
      const dead = await lease.deadOf([...state.nodes.keys()])
      if (dead.length > 0) {
        for (const node of dead) await removeNode(client, this.#room, node)
        state = await this.#readState()
      }
      this.#nodes = [...state.nodes.keys()]
      if (!isCurrent()) return this.markStale()
      this.#update({ members: state.members, count: state.count, stale: false })
    } catch {
      this.markStale()
    }
  }

  async #readState (): Promise<State> {
    const { client, lease, listed, writer, onUpdatesLost } = this.#options
    const { known } = this.#data
    const [node, updateNumber] = [lease.node, writer()?.updateNumber]
    const [count, ids, found, updates] = await client.run(readMembers, roomKeys(client, this.#room), [
      Math.min(listed, Number.MAX_SAFE_INTEGER), ...known.keys()
    ]) as [number, string[], string[], string[]]
    const nodes = new Map<string, number>()
    for (let i = 0; i < updates.length; i += 2) nodes.set(updates[i]!, Number(updates[i + 1]))
    const own = writer()
    // Compares only if no update was written meanwhile. Otherwise Redis may return the old or the new number.
    if (node === lease.node && updateNumber === own?.updateNumber && own?.isWritten !== false) {
      if (nodes.get(node) !== (own === undefined || own.isOver ? undefined : own.updateNumber)) onUpdatesLost()
    }
    return { count, members: this.#data.decode(ids, found, known), nodes }
  }

  /** Returns the members on this node, as the stale state of a room that can't be read. */
  #local (): Presence {
    const members = this.#options.writer()?.members ?? []
    return { members: members.slice(0, this.#options.listed), count: members.length, stale: true }
  }

  #update (presence: Presence): void {
    if (this.#closed || (this.#current !== undefined && isSame(this.#current, presence))) return
    this.#current = presence
    for (const [onPresence, hasReceived] of this.#watchers) if (hasReceived) onPresence(presence)
  }
}

function isSame (a: Presence, b: Presence): boolean {
  return a.count === b.count && a.stale === b.stale && a.members.length === b.members.length &&
    a.members.every((member, i) => isSameMember(member, b.members[i]!))
}
