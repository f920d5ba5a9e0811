import { randomBytes } from 'node:crypto'
import { delay, type Delay } from '../../delay.ts'
import type { RedisClient } from '../client/client.ts'
import { leasesKey, peersChannel } from './keys.ts'
import { endLease, renewLease } from './scripts/lease.ts'
import { Subscription } from './subscription.ts'

interface LeaseEvents {
  /**
   * Called when the lease was renewed.
   * @param kept whether the node kept its name
   * @param gone nodes whose lease ended since the last renewal
   */
  renewed (kept: boolean, gone: ReadonlySet<string>): void
  /** Called when a renewal failed: the lease may have ended. */
  failed (): void
}

/**
 * This node's claim on its presence entries in Redis, which are valid as long as the lease. A lease that has ended is never
 * renewed. The node takes a new name instead.
 */
export class Lease {
  readonly #client: RedisClient
  readonly #length: number
  readonly #events: LeaseEvents
  readonly #after: Delay
  readonly #key: string
  readonly #channel: string
  readonly #subscription: Subscription
  #node = randomName()
  #formerNode: string | undefined
  #isNewNode = true
  #liveNodes = new Set<string>()
  #updates = 0
  #renewing: Promise<boolean> | undefined
  #cancelRenewal: (() => void) | undefined
  #stopped = false
  #failure: Error | undefined

  /**
   * @param length in ms; the lease is renewed after a third of it
   * @param after starts a timer; tests pass their own
   */
  constructor (client: RedisClient, length: number, events: LeaseEvents, after: Delay = delay) {
    this.#client = client
    this.#length = length
    this.#events = events
    this.#after = after
    this.#key = leasesKey(client)
    this.#channel = peersChannel(client)
    this.#subscription = new Subscription(client, this.#channel, () => this.#renewIn(0))
  }

  /** Name of this node. It changes when a lease ends. */
  get node (): string { return this.#node }

  /** Error of the last renewal; undefined if it succeeded. */
  get failure (): Error | undefined { return this.#failure }

  isLive (node: string): boolean { return this.#liveNodes.has(node) }

  /** Returns the number of this node's next update. */
  nextUpdate (): number { return ++this.#updates }

  /** Subscribes to notifications from nodes that lost their lease or are closing. Resolves when the subscription is live. */
  async listen (): Promise<void> {
    await this.#subscription.start()
  }

  /** Renews the lease. Resolves with whether it was renewed. Joins a renewal that is in progress. */
  renew (): Promise<boolean> {
    if (this.#stopped) return Promise.resolve(false)
    this.#renewing ??= this.#renew().finally(() => { this.#renewing = undefined })
    return this.#renewing
  }

  /** Renews the lease with a command that is sent after this call, even if a renewal is in progress. */
  async renewAgain (): Promise<boolean> {
    await this.#renewing
    return await this.renew()
  }

  /** Resolves with the given nodes whose leases have certainly ended. */
  async deadOf (nodes: readonly string[]): Promise<string[]> {
    if (nodes.every((node) => this.#liveNodes.has(node))) return []
    return await this.renewAgain() ? nodes.filter((node) => !this.#liveNodes.has(node)) : []
  }

  /** Takes a new name and renews the lease. Call it when the entries of this node in Redis differ from its updates. */
  async changeName (): Promise<void> {
    await this.#renewing
    this.#takeNewName()
    await this.renew()
  }

  /** Ends the lease of this node's former name. Call it after all members were written under the new name. */
  async endFormer (): Promise<void> {
    if (this.#formerNode === undefined) return
    await this.#client.command('ZREM', this.#key, this.#formerNode)
    this.#liveNodes.delete(this.#formerNode)
    this.#formerNode = undefined
  }

  /** Stops renewing the lease. */
  stop (): void {
    this.#stopped = true
    this.#cancelRenewal?.()
  }

  /** Ends the lease after a delay in ms, and notifies the other nodes. */
  async end (after: number): Promise<void> {
    this.stop()
    await this.#client.run(endLease, [this.#key], [this.#node, after, this.#client.publishCommand, this.#channel])
  }

  async #renew (): Promise<boolean> {
    const before = this.#liveNodes
    let next = this.#length / 3
    let renewed = false
    try {
      next = Math.min(next, await this.#sendRenewal())
      if (!this.#liveNodes.has(this.#node)) {
        this.#takeNewName()
        await this.#sendRenewal()
      }
      const kept = !this.#isNewNode || this.#formerNode === undefined
      this.#isNewNode = false
      // Other nodes may have lost their leases too. The notification lets them write their members again sooner.
      if (!kept) this.#client.publish(this.#channel, '')
      this.#events.renewed(kept, new Set([...before].filter((node) => !this.#liveNodes.has(node))))
      renewed = true
      this.#failure = undefined
    } catch (error) {
      this.#failure = error as Error
      // At this interval, many attempts fit in the length of a lease.
      next = this.#length / 30
      this.#events.failed()
    }
    this.#renewIn(next)
    return renewed
  }

  /** Sends the renewal and stores the live nodes. Resolves with the ms until the first lease ends. */
  async #sendRenewal (): Promise<number> {
    const args = [this.#node, this.#length, this.#isNewNode ? 1 : 0]
    const [now, leases] = await this.#client.run(renewLease, [this.#key], args) as [number, string[]]
    const ends = new Map<string, number>()
    for (let i = 0; i < leases.length; i += 2) ends.set(leases[i]!, Number(leases[i + 1]))
    this.#liveNodes = new Set(ends.keys())
    return Math.min(...ends.values()) - now
  }

  #takeNewName (): void {
    this.#formerNode = this.#node
    this.#node = randomName()
    this.#isNewNode = true
  }

  #renewIn (ms: number): void {
    if (this.#stopped) return
    this.#cancelRenewal?.()
    // Redis truncates times to ms. The extra 10 ms ensure that the first lease has ended.
    this.#cancelRenewal = this.#after(ms + 10, () => { this.renew().catch(() => {}) })
  }
}

function randomName (): string {
  return randomBytes(12).toString('base64url')
}
