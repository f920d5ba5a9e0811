import { setTimeout as pass } from 'node:timers/promises'
import { StoreUnavailable } from '../../../errors.ts'
import type { RedisLink } from '../client/client.ts'
import type { Member } from '../../../store.ts'
import { Lease } from './lease.ts'
import { Part, sweepOut } from './local-members.ts'
import { Turnstile } from './semaphore.ts'
import { View } from './view.ts'

/** Rooms that are told of or read at once: the rest wait here, and leave Redis to the messages. */
const WIDTH = 256

export interface NodeSettings {
  readonly grace: number
  readonly coalesce: number
  readonly listed: number
  readonly lease: number
  /** What else is to be read again after a break. */
  readonly catchUp: () => Promise<void>
  /** What else is to be read regularly: with each renewal of the lease. */
  readonly poll: () => Promise<void>
}

/** What this node tells Redis of its members, and Redis of all. */
export class RosterNode {
  readonly #link: RedisLink
  readonly #settings: NodeSettings
  readonly #lease: Lease
  readonly #turnstile = new Turnstile(WIDTH)
  readonly #parts = new Map<string, Part>()
  readonly #views = new Map<string, View>()
  /** Whether Redis has told all, and was told all. */
  #fresh = false
  #breaks = 0
  #lost = false
  #recovering = Promise.resolve()
  #closed = false

  constructor (link: RedisLink, settings: NodeSettings) {
    this.#link = link
    this.#settings = settings
    this.#lease = new Lease(link, settings.lease, {
      renewed: (kept, gone) => this.#renewed(kept, gone),
      failed: () => this.#stale()
    })
    link.onDown(() => this.#stale())
    link.onBack(() => { this.#lease.renewAgain().catch(() => {}) })
  }

  /** Names this node while its lease holds. */
  get name (): string { return this.#lease.node }

  /** Rejects with the reason for which the lease can't be renewed. */
  async check (): Promise<void> {
    if (!await this.#lease.renewAgain()) throw this.#lease.failure ?? new StoreUnavailable()
  }

  /** Resolves when all that Redis has is known, or can't be. */
  async open (): Promise<void> {
    await this.#lease.renew()
    await this.#recovering
  }

  /** Resolves when Redis knows; while it is gone, at once. */
  async enter (name: string, connection: string, identity: Member): Promise<void> {
    let part = this.#parts.get(name)
    if (part === undefined) {
      part = new Part(name, { link: this.#link, lease: this.#lease, turnstile: this.#turnstile, grace: this.#settings.grace })
      this.#parts.set(name, part)
    }
    part.enter(connection, identity)
    if (this.#fresh) await this.#tell(name, part)
  }

  leave (name: string, connection: string): void {
    const part = this.#parts.get(name)
    part?.leave(connection, () => { if (this.#fresh) this.#tell(name, part).catch(() => {}) })
  }

  /** Resolves to how to stop what was begun. */
  async use (name: string, begin: (view: View) => Promise<() => void>): Promise<() => void> {
    let view = this.#views.get(name)
    if (view === undefined) this.#views.set(name, view = this.#view(name))
    const used = view
    const stop = await begin(used)
    return () => {
      stop()
      if (used.isUsed || this.#views.get(name) !== used) return
      this.#views.delete(name)
      used.close()
    }
  }

  /** Nobody here is told anything after the call; resolves when Redis was told that all have left, if it can be. */
  async close (): Promise<void> {
    this.#closed = true
    for (const view of this.#views.values()) view.close()
    for (const part of this.#parts.values()) part.close()
    if (this.#link.up) await this.#depart().catch(() => { /* the lease ends by itself */ })
    this.#lease.stop()
  }

  #view (name: string): View {
    return new View(name, {
      link: this.#link,
      lease: this.#lease,
      turnstile: this.#turnstile,
      coalesce: this.#settings.coalesce,
      listed: this.#settings.listed,
      isFresh: () => this.#fresh,
      part: () => this.#parts.get(name),
      lost: () => this.#startAnew()
    })
  }

  async #tell (name: string, part: Part): Promise<void> {
    await part.tell()
    if (part.isOver && this.#parts.get(name) === part) this.#parts.delete(name)
  }

  async #tellAll (): Promise<void> {
    await Promise.all([...this.#parts].map(([name, part]) => this.#tell(name, part)))
  }

  #stale (): void {
    this.#breaks++
    if (!this.#fresh) return
    this.#fresh = false
    for (const view of this.#views.values()) view.stale()
  }

  #startAnew (): void {
    if (!this.#fresh) return
    this.#stale()
    this.#lease.abandon().catch(() => {})
  }

  #renewed (kept: boolean, gone: ReadonlySet<string>): void {
    if (this.#closed) return
    if (!kept) {
      this.#lost = true
      this.#stale()
      for (const part of this.#parts.values()) part.forgotten()
    }
    // Also of a node that is not fresh: it may lack nothing but the right to subscribe.
    this.#settings.poll().catch(() => { /* again with the next renewal */ })
    if (!this.#fresh) {
      this.#recovering = this.#recovering.then(() => this.#recover()).catch(() => { /* again with the next renewal */ })
      return
    }
    // What failed, what peers have left, and what would end.
    this.#tellAll().catch(() => {})
    for (const view of this.#views.values()) {
      if (view.isStale || view.nodes.some((node) => gone.has(node))) view.refresh().catch(() => {})
    }
  }

  /** Redis and this node tell each other what they have missed. */
  async #recover (): Promise<void> {
    if (this.#fresh || this.#closed) return
    const breaks = this.#breaks
    await this.#lease.listen()
    await this.#tellAll()
    if (breaks !== this.#breaks) return
    await this.#lease.endFormer()
    if (this.#lost) {
      this.#lost = false
      // What was lost here may have been lost for all: the peers too enter their members again.
      await pass(Math.min(this.#settings.grace, this.#settings.lease / 3), undefined, { ref: false })
    }
    await this.#settings.catchUp()
    if (breaks !== this.#breaks) return
    this.#fresh = true
    await this.#tellAll()
    await Promise.all([...this.#views.values()].map((view) => view.refresh()))
  }

  /** Members of rooms with peers may be on their way to them: there they leave after the grace, by what the peers do. */
  async #depart (): Promise<void> {
    const { node } = this.#lease
    const alone = [...this.#parts.keys()].filter((name) => {
      const others = this.#views.get(name)?.nodes ?? []
      return !others.some((other) => other !== node && this.#lease.isLive(other))
    })
    await this.#tellAll()
    await Promise.all(alone.map((name) => this.#turnstile.pass(() => sweepOut(this.#link, name, node))))
    await this.#lease.end(this.#settings.grace)
  }
}
