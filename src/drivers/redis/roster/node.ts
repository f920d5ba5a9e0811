import { setTimeout as sleep } from 'node:timers/promises'
import { StoreUnavailable } from '../../../errors.ts'
import type { RedisLink } from '../client/client.ts'
import type { Member } from '../../../store.ts'
import { Lease } from './lease.ts'
import { Part, sweepOut } from './member-writer.ts'
import { Turnstile } from './semaphore.ts'
import { View } from './room-view.ts'

/** Rooms that are written or read concurrently. More rooms wait, so that messages aren't delayed in Redis. */
const WIDTH = 256

export interface NodeSettings {
  readonly grace: number
  readonly coalesce: number
  readonly listed: number
  readonly lease: number
  /** Reads restrictions again after a disconnect. */
  readonly catchUp: () => Promise<void>
  /** Polls restrictions with each renewal of the lease. */
  readonly poll: () => Promise<void>
}

/** Writes the members of this node to Redis, and reads the members of all nodes from it. */
export class RosterNode {
  readonly #link: RedisLink
  readonly #settings: NodeSettings
  readonly #lease: Lease
  readonly #turnstile = new Turnstile(WIDTH)
  readonly #parts = new Map<string, Part>()
  readonly #views = new Map<string, View>()
  /** Whether this node has read everything from Redis and written everything to it since the last disconnect. */
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
      failed: () => this.#markStale()
    })
    link.onDown(() => this.#markStale())
    link.onBack(() => { this.#lease.renewAgain().catch(() => {}) })
  }

  /** Name of this node while its lease is valid. */
  get name (): string { return this.#lease.node }

  /** Renews the lease. Rejects with the reason if that fails. */
  async check (): Promise<void> {
    if (!await this.#lease.renewAgain()) throw this.#lease.failure ?? new StoreUnavailable()
  }

  /** Resolves when the state in Redis was read, or the read failed. */
  async open (): Promise<void> {
    await this.#lease.renew()
    await this.#recovering
  }

  /** Resolves when the member is written to Redis; at once while Redis is down. */
  async enter (name: string, connection: string, identity: Member): Promise<void> {
    let part = this.#parts.get(name)
    if (part === undefined) {
      part = new Part(name, { link: this.#link, lease: this.#lease, turnstile: this.#turnstile, grace: this.#settings.grace })
      this.#parts.set(name, part)
    }
    part.enter(connection, identity)
    if (this.#fresh) await this.#write(name, part)
  }

  leave (name: string, connection: string): void {
    const part = this.#parts.get(name)
    part?.leave(connection, () => { if (this.#fresh) this.#write(name, part).catch(() => {}) })
  }

  /** Calls `begin` with the room's view. Resolves with a function that stops it, and closes a view without users. */
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

  /** Stops all callbacks at once. Resolves when this node's departure is written to Redis, or couldn't be. */
  async close (): Promise<void> {
    this.#closed = true
    for (const view of this.#views.values()) view.close()
    for (const part of this.#parts.values()) part.close()
    if (this.#link.up) await this.#depart().catch(() => { /* the lease expires */ })
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
      lost: () => this.#takeNewName()
    })
  }

  async #write (name: string, part: Part): Promise<void> {
    await part.tell()
    if (part.isOver && this.#parts.get(name) === part) this.#parts.delete(name)
  }

  async #writeAll (): Promise<void> {
    await Promise.all([...this.#parts].map(([name, part]) => this.#write(name, part)))
  }

  #markStale (): void {
    this.#breaks++
    if (!this.#fresh) return
    this.#fresh = false
    for (const view of this.#views.values()) view.stale()
  }

  #takeNewName (): void {
    if (!this.#fresh) return
    this.#markStale()
    this.#lease.abandon().catch(() => {})
  }

  #renewed (kept: boolean, gone: ReadonlySet<string>): void {
    if (this.#closed) return
    if (!kept) {
      this.#lost = true
      this.#markStale()
      for (const part of this.#parts.values()) part.forgotten()
    }
    // A node that isn't fresh polls too: it may lack only the permission to subscribe.
    this.#settings.poll().catch(() => { /* retried with the next renewal */ })
    if (!this.#fresh) {
      this.#recovering = this.#recovering.then(() => this.#recover()).catch(() => { /* retried with the next renewal */ })
      return
    }
    // Retries failed writes, renews keys, and sweeps the members of dead nodes.
    this.#writeAll().catch(() => {})
    for (const view of this.#views.values()) {
      if (view.isStale || view.nodes.some((node) => gone.has(node))) view.refresh().catch(() => {})
    }
  }

  /** Writes and reads everything that was missed during a disconnect. */
  async #recover (): Promise<void> {
    if (this.#fresh || this.#closed) return
    const breaks = this.#breaks
    await this.#lease.listen()
    await this.#writeAll()
    if (breaks !== this.#breaks) return
    await this.#lease.endFormer()
    if (this.#lost) {
      this.#lost = false
      // Other nodes may have lost their members in Redis too, and enter them again.
      await sleep(Math.min(this.#settings.grace, this.#settings.lease / 3), undefined, { ref: false })
    }
    await this.#settings.catchUp()
    if (breaks !== this.#breaks) return
    this.#fresh = true
    await this.#writeAll()
    await Promise.all([...this.#views.values()].map((view) => view.refresh()))
  }

  /**
   * Removes the members of rooms without other live nodes. In other rooms, members may reconnect to another node: there
   * the lease ends after the grace period, and the other nodes sweep.
   */
  async #depart (): Promise<void> {
    const { node } = this.#lease
    const alone = [...this.#parts.keys()].filter((name) => {
      const others = this.#views.get(name)?.nodes ?? []
      return !others.some((other) => other !== node && this.#lease.isLive(other))
    })
    await this.#writeAll()
    await Promise.all(alone.map((name) => this.#turnstile.pass(() => sweepOut(this.#link, name, node))))
    await this.#lease.end(this.#settings.grace)
  }
}
