import type { RedisLink } from '../client/client.ts'
import type { Member } from '../../../store.ts'
import { channel, roomKeys } from './keys.ts'
import type { Lease } from './lease.ts'
import { sweepOut, type Part } from './local-members.ts'
import { read } from './scripts.ts'
import { Subscription } from './subscription.ts'
import type { Turnstile } from './semaphore.ts'
import type { Presence, Signal } from '../../../roster.ts'

export interface ViewContext {
  readonly link: RedisLink
  readonly lease: Lease
  readonly turnstile: Turnstile
  /** ms that changes are gathered */
  readonly coalesce: number
  /** members listed */
  readonly listed: number
  /** Whether what Redis says holds now. */
  readonly isFresh: () => boolean
  /** The members on this node. */
  readonly part: () => Part | undefined
  /** Redis has lost what it was told. */
  readonly lost: () => void
}

interface State { readonly count: number, readonly members: Member[], readonly nodes: Map<string, number> }

/** What those who watch one room on this node are shown of it. */
export class View {
  readonly #room: string
  readonly #context: ViewContext
  /** Each with whether it has been shown the state. */
  readonly #watchers = new Map<(now: Presence) => void, boolean>()
  readonly #listeners = new Set<(signal: Signal) => void>()
  readonly #subscription: Subscription
  #shown: Presence | undefined
  #nodes: readonly string[] = []
  #reading: NodeJS.Timeout | undefined
  #closed = false

  constructor (room: string, context: ViewContext) {
    this.#room = room
    this.#context = context
    this.#subscription = new Subscription(context.link, channel(context.link, room), (message) => this.#hear(message))
  }

  get isUsed (): boolean { return this.#watchers.size + this.#listeners.size > 0 }

  get isStale (): boolean { return this.#shown?.stale ?? false }

  /** Nodes that had members here when it was read. */
  get nodes (): readonly string[] { return this.#nodes }

  /** Resolves when it was shown the state, to how to stop. */
  async watch (seen: (now: Presence) => void): Promise<() => void> {
    // One function may watch twice.
    const watcher = (now: Presence) => seen(now)
    this.#watchers.set(watcher, false)
    await this.refresh()
    if (this.#watchers.has(watcher)) {
      this.#watchers.set(watcher, true)
      watcher(this.#shown!)
    }
    return () => { this.#watchers.delete(watcher) }
  }

  /** Resolves when live, to how to stop; while Redis is gone when it can't be yet. */
  async listen (heard: (signal: Signal) => void): Promise<() => void> {
    const listener = (signal: Signal) => heard(signal)
    this.#listeners.add(listener)
    await this.#subscription.start().catch(() => { /* it is again when the room is read */ })
    return () => { this.#listeners.delete(listener) }
  }

  /** Resolves when the state was read and shown, or could not be and is shown as stale. */
  async refresh (): Promise<void> {
    await this.#context.turnstile.pass(() => this.#read())
  }

  stale (): void {
    this.#show({ ...this.#shown ?? this.#local(), stale: true })
  }

  close (): void {
    this.#closed = true
    clearTimeout(this.#reading)
    this.#watchers.clear()
    this.#listeners.clear()
    this.#subscription.stop()
  }

  #hear (message: Buffer): void {
    if (message.length === 0) return this.#readSoon()
    const typing = JSON.parse(message.toString()) as Member
    for (const heard of this.#listeners) heard({ typing })
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
      let state = await this.#ask()
      const dead = await lease.dead([...state.nodes.keys()])
      if (dead.length > 0) {
        for (const node of dead) await sweepOut(this.#context.link, this.#room, node)
        state = await this.#ask()
      }
      this.#nodes = [...state.nodes.keys()]
      if (!isFresh()) return this.stale()
      this.#show({ members: state.members, count: state.count, stale: false })
    } catch {
      this.stale()
    }
  }

  async #ask (): Promise<State> {
    const { link, lease, listed, part, lost } = this.#context
    const [node, told] = [lease.node, part()?.told]
    const [count, ids, found, said] = await link.run(read, roomKeys(link, this.#room), [Math.min(listed, Number.MAX_SAFE_INTEGER)]) as [number, string[], string[], string[]]
    const nodes = new Map<string, number>()
    for (let i = 0; i < said.length; i += 2) nodes.set(said[i]!, Number(said[i + 1]))
    const now = part()
    // Only if nothing was told meanwhile: else either is right.
    if (node === lease.node && told === now?.told && now?.isTold !== false) {
      if (nodes.get(node) !== (now === undefined || now.isOver ? undefined : now.told)) lost()
    }
    return { count, members: ids.map((id, i) => ({ id, name: found[i]!.slice(found[i]!.indexOf(' ') + 1) })), nodes }
  }

  /** All that is known of a room that can't be read: who is in it on this node. */
  #local (): Presence {
    const members = this.#context.part()?.members ?? []
    return { members: members.slice(0, this.#context.listed), count: members.length, stale: true }
  }

  #show (now: Presence): void {
    if (this.#closed || (this.#shown !== undefined && isSame(this.#shown, now))) return
    this.#shown = now
    for (const [seen, hasSeen] of this.#watchers) if (hasSeen) seen(now)
  }
}

function isSame (a: Presence, b: Presence): boolean {
  return a.count === b.count && a.stale === b.stale && a.members.length === b.members.length &&
    a.members.every(({ id, name }, i) => id === b.members[i]!.id && name === b.members[i]!.name)
}
