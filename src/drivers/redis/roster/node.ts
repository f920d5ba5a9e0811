import { setTimeout as sleep } from 'node:timers/promises'
import { StoreUnavailable } from '../../../errors.ts'
import type { RedisClient } from '../client/client.ts'
import type { PresentMember } from '../../../roster.ts'
import { Lease } from './lease.ts'
import { MemberWriter, removeNode } from './member-writer.ts'
import { RoomView } from './room-view.ts'
import { Semaphore } from './semaphore.ts'
import { SharedData } from './shared-data.ts'

/** Maximum number of rooms that are written or read concurrently, so that commands of messages aren't delayed in Redis. */
const MAX_CONCURRENT = 256

interface NodeSettings {
  /** ms before a leave is published */
  readonly grace: number
  /** ms that changes are collected before watchers are called */
  readonly coalesce: number
  /** maximum number of listed members */
  readonly listed: number
  /** length of the lease in ms */
  readonly lease: number
  /** Reads restrictions again after a disconnect. */
  readonly catchUp: () => Promise<void>
  /** Called with each renewal of the lease. Polls restrictions, and retries failed subscriptions. */
  readonly poll: () => Promise<void>
}

/** Writes the members of this node to Redis, and reads the members of all nodes from it. */
export class RosterNode {
  readonly #client: RedisClient
  readonly #settings: NodeSettings
  readonly #lease: Lease
  readonly #semaphore = new Semaphore(MAX_CONCURRENT)
  readonly #sharedData = new SharedData()
  readonly #writers = new Map<string, MemberWriter>()
  readonly #views = new Map<string, RoomView>()
  /** Whether this node has read everything from Redis and written everything to it since the last disconnect. */
  #isCurrent = false
  /** Number of times that this node stopped being current. */
  #interruptions = 0
  /** Whether Redis lost the entries of this node, or this node lost its lease. */
  #lostEntries = false
  #recovering = Promise.resolve()
  #closed = false

  constructor (client: RedisClient, settings: NodeSettings) {
    this.#client = client
    this.#settings = settings
    this.#lease = new Lease(client, settings.lease, {
      renewed: (kept, gone) => this.#renewed(kept, gone),
      failed: () => this.#markStale()
    })
    client.onDown(() => this.#markStale())
    client.onUp(() => { this.#lease.renewAgain().catch(() => {}) })
  }

  /** Name of this node while its lease is valid. */
  get name (): string { return this.#lease.node }

  /** Renews the lease. Rejects with the reason if that fails. */
  async check (): Promise<void> {
    if (!await this.#lease.renewAgain()) throw this.#lease.failure ?? new StoreUnavailable()
  }

  /** Takes the lease. Resolves when the state in Redis was read, or the read failed. */
  async open (): Promise<void> {
    await this.#lease.renew()
    await this.#recovering
  }

  /** Resolves when the member is written to Redis. While Redis is down, resolves immediately. */
  async enter (name: string, connection: string, member: PresentMember): Promise<void> {
    let writer = this.#writers.get(name)
    if (writer === undefined) {
      writer = new MemberWriter(name, { client: this.#client, lease: this.#lease, semaphore: this.#semaphore, grace: this.#settings.grace })
      this.#writers.set(name, writer)
    }
    writer.enter(connection, member)
    if (this.#isCurrent) await this.#write(name, writer)
  }

  leave (name: string, connection: string): void {
    const writer = this.#writers.get(name)
    writer?.leave(connection, () => { if (this.#isCurrent) this.#write(name, writer).catch(() => {}) })
  }

  /**
   * Calls `begin` with the room's view. Resolves with a function that ends the use. That function also closes a view that has no
   * other users.
   */
  async use (name: string, begin: (view: RoomView) => Promise<() => void>): Promise<() => void> {
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

  /** Stops all callbacks immediately. Resolves when this node's departure was written to Redis, or the write failed. */
  async close (): Promise<void> {
    this.#closed = true
    for (const view of this.#views.values()) view.close()
    for (const writer of this.#writers.values()) writer.close()
    if (this.#client.up) await this.#depart().catch(() => { /* the lease expires */ })
    this.#lease.stop()
  }

  #view (name: string): RoomView {
    return new RoomView(name, {
      client: this.#client,
      lease: this.#lease,
      semaphore: this.#semaphore,
      sharedData: this.#sharedData,
      coalesce: this.#settings.coalesce,
      listed: this.#settings.listed,
      isCurrent: () => this.#isCurrent,
      writer: () => this.#writers.get(name),
      onUpdatesLost: () => this.#changeName()
    })
  }

  async #write (name: string, writer: MemberWriter): Promise<void> {
    await writer.write()
    if (writer.isOver && this.#writers.get(name) === writer) this.#writers.delete(name)
  }

  async #writeAll (): Promise<void> {
    await Promise.all([...this.#writers].map(([name, writer]) => this.#write(name, writer)))
  }

  #markStale (): void {
    this.#interruptions++
    if (!this.#isCurrent) return
    this.#isCurrent = false
    for (const view of this.#views.values()) view.markStale()
  }

  #changeName (): void {
    if (!this.#isCurrent) return
    this.#markStale()
    this.#lease.changeName().catch(() => {})
  }

  #renewed (kept: boolean, gone: ReadonlySet<string>): void {
    if (this.#closed) return
    if (!kept) {
      this.#lostEntries = true
      this.#markStale()
      for (const writer of this.#writers.values()) writer.markUnwritten()
    }
    // A node that isn't current polls too: it may lack only the permission to subscribe.
    this.#settings.poll().catch(() => { /* retried with the next renewal */ })
    if (!this.#isCurrent) {
      this.#recovering = this.#recovering.then(() => this.#recover()).catch(() => { /* retried with the next renewal */ })
      return
    }
    // Retries failed writes, and renews keys before they expire.
    this.#writeAll().catch(() => {})
    // A refresh removes the members of dead nodes.
    for (const view of this.#views.values()) {
      if (view.isStale || view.nodes.some((node) => gone.has(node))) view.refresh().catch(() => {})
    }
  }

  /** Writes and reads everything that was missed during a disconnect. */
  async #recover (): Promise<void> {
    if (this.#isCurrent || this.#closed) return
    const interruptions = this.#interruptions
    await this.#lease.listen()
    await this.#writeAll()
    if (interruptions !== this.#interruptions) return
    await this.#lease.endFormer()
    if (this.#lostEntries) {
      this.#lostEntries = false
      // Waits, because Redis may have lost the members of other nodes too, which write them again.
      await sleep(Math.min(this.#settings.grace, this.#settings.lease / 3), undefined, { ref: false })
    }
    await this.#settings.catchUp()
    if (interruptions !== this.#interruptions) return
    this.#isCurrent = true
    await this.#writeAll()
    await Promise.all([...this.#views.values()].map((view) => view.refresh()))
  }

  /**
   * Removes this node's members from rooms without other live nodes. In other rooms, members may reconnect to another node. The
   * lease ends after the grace period. The other nodes then remove the members that haven't reconnected.
   */
  async #depart (): Promise<void> {
    const { node } = this.#lease
    const alone = [...this.#writers.keys()].filter((name) => {
      const others = this.#views.get(name)?.nodes ?? []
      return !others.some((other) => other !== node && this.#lease.isLive(other))
    })
    await this.#writeAll()
    await Promise.all(alone.map((name) => this.#semaphore.run(() => removeNode(this.#client, name, node))))
    await this.#lease.end(this.#settings.grace)
  }
}
