import type { RedisLink } from '../client/client.ts'
import type { Member } from '../../../store.ts'
import { channel, roomKeys } from './keys.ts'
import type { Lease } from './lease.ts'
import { sweepOut, type Part } from './member-writer.ts'
import { read } from './scripts.ts'
import { Subscription } from './subscription.ts'
import type { Turnstile } from './semaphore.ts'
import type { Presence, Signal } from '../../../roster.ts'

export interface ViewContext {
  readonly link: RedisLink
  readonly lease: Lease
  readonly turnstile: Turnstile
  /** ms that changes are collected before a read */
  readonly coalesce: number
  /** maximum number of listed members */
  readonly listed: number
  /** Returns whether the state in Redis is current. */
  readonly isFresh: () => boolean
  /** Returns the room's members on this node. */
  readonly part: () => Part | undefined
  /** Called when Redis has lost updates of this node. */
  readonly lost: () => void
}

interface State { readonly count: number, readonly members: Member[], readonly nodes: Map<string, number> }

/** Presence of one room, as its watchers on this node receive it. */
export class View {
  readonly #room: string
  readonly #context: ViewContext
  /** Watchers, each with whether it has received the state. */
  readonly #watchers = new Map<(now: Presence) => void, boolean>()
  readonly #listeners = new Set<(signal: Signal) => void>()
  readonly #subscription: Subscription
  #current: Presence | undefined
  #nodes: readonly string[] = []
  #reading: NodeJS.Timeout | undefined
  #closed = false

  constructor (room: string, context: ViewContext) {
    this.#room = room
    this.#context = context
    this.#subscription = new Subscription(context.link, channel(context.link, room), (message) => this.#onMessage(message))
  }

  get isUsed (): boolean { return this.#watchers.size + this.#listeners.size > 0 }

  get isStale (): boolean { return this.#current?.stale ?? false }

  /** Nodes that had members in the room when it was last read. */
  get nodes (): readonly string[] { return this.#nodes }

  /** Resolves with an unsubscribe function when the callback has received the state. */
  async watch (onPresence: (now: Presence) => void): Promise<() => void> {
    // The same function may watch twice.
    const watcher = (now: Presence) => onPresence(now)
    this.#watchers.set(watcher, false)
    await this.refresh()
    if (this.#watchers.has(watcher)) {
      this.#watchers.set(watcher, true)
      watcher(this.#current!)
    }
    return () => { this.#watchers.delete(watcher) }
  }

  /**
   * Resolves with an unsubscribe function when the subscription is live. While Redis is down, resolves when the attempt
   * to subscribe has failed.
   */
  async listen (onSignal: (signal: Signal) => void): Promise<() => void> {
    const listener = (signal: Signal) => onSignal(signal)
    this.#listeners.add(listener)
    await this.#subscription.start().catch(() => { /* retried when the room is read */ })
    return () => { this.#listeners.delete(listener) }
  }

  /** Reads the state and calls the watchers; if the read fails, with `stale: true`. */
  async refresh (): Promise<void> {
    await this.#context.turnstile.pass(() => this.#read())
  }

  stale (): void {
    this.#update({ ...this.#current ?? this.#local(), stale: true })
  }

  close (): void {
    this.#closed = true
    clearTimeout(this.#reading)
    this.#watchers.clear()
    this.#listeners.clear()
    this.#subscription.stop()
  }

  #onMessage (message: Buffer): void {
    if (message.length === 0) return this.#readSoon()
    const typing = JSON.parse(message.toString()) as Member
    for (const onSignal of this.#listeners) onSignal({ typing })
  }

  #readSoon (): void {
    if (this.#closed || this.#watchers.size === 0) return
    this.#reading ??= setTimeout(() => {
      this.#reading = undefined
      this.refresh().catch(() => {})
    }, this.#context.coalesce).unref()
  }

  async #read (): Promise<void> {
    const { lease, isFresh } = this.#context
    if (this.#closed) return
    if (!isFresh()) return this.stale()
    try {
      await this.#subscription.start()
      let state = await this.#readState()
      const dead = await lease.dead([...state.nodes.keys()])
      if (dead.length > 0) {
        for (const node of dead) await sweepOut(this.#context.link, this.#room, node)
        state = await this.#readState()
      }
      this.#nodes = [...state.nodes.keys()]
      if (!isFresh()) return this.stale()
      this.#update({ members: state.members, count: state.count, stale: false })
    } catch {
      this.stale()
    }
  }

  async #readState (): Promise<State> {
    const { link, lease, listed, part, lost } = this.#context
    const [node, updateNumber] = [lease.node, part()?.told]
    const [count, ids, found, updates] = await link.run(read, roomKeys(link, this.#room), [Math.min(listed, Number.MAX_SAFE_INTEGER)]) as [number, string[], string[], string[]]
    const nodes = new Map<string, number>()
    for (let i = 0; i < updates.length; i += 2) nodes.set(updates[i]!, Number(updates[i + 1]))
    const now = part()
    // Compares only if no update was written meanwhile. Otherwise Redis may return either number.
    if (node === lease.node && updateNumber === now?.told && now?.isTold !== false) {
      if (nodes.get(node) !== (now === undefined || now.isOver ? undefined : now.told)) lost()
    }
    return { count, members: ids.map((id, i) => ({ id, name: found[i]!.slice(found[i]!.indexOf(' ') + 1) })), nodes }
  }

  /** Returns the members on this node, as a stale state of a room that can't be read. */
  #local (): Presence {
    const members = this.#context.part()?.members ?? []
    return { members: members.slice(0, this.#context.listed), count: members.length, stale: true }
  }

  #update (now: Presence): void {
    if (this.#closed || (this.#current !== undefined && isSame(this.#current, now))) return
    this.#current = now
    for (const [onPresence, hasReceived] of this.#watchers) if (hasReceived) onPresence(now)
  }
}

function isSame (a: Presence, b: Presence): boolean {
  return a.count === b.count && a.stale === b.stale && a.members.length === b.members.length &&
    a.members.every(({ id, name }, i) => id === b.members[i]!.id && name === b.members[i]!.name)
}
