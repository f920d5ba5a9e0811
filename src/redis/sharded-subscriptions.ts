import { Command, type Cluster, type Redis } from 'ioredis'
import { again } from './options.ts'
import { Subscriptions, type Heard, type SubscriptionEvents } from './subscriptions.ts'

interface Subscription { node: string | undefined, readonly channel: string, readonly heard: Heard, readonly live: () => void }

/** What is heard from a Cluster: each channel from the master of its slot, also after the slot has moved. */
export class ShardedSubscriptions {
  readonly #cluster: Cluster
  readonly #events: SubscriptionEvents
  readonly #nodes = new Map<string, Subscriptions>()
  readonly #subscriptions = new Set<Subscription>()

  constructor (cluster: Cluster, events: SubscriptionEvents) {
    this.#cluster = cluster
    this.#events = { ...events, moved: () => cluster.refreshSlotsCache() }
    cluster.on('refresh', () => this.#place())
  }

  get live (): boolean {
    for (const { node } of this.#subscriptions) if (node === undefined) return false
    for (const { live } of this.#nodes.values()) if (!live) return false
    return true
  }

  add (channel: string, heard: Heard, live: () => void): void {
    const subscription = { node: undefined, channel, heard, live }
    this.#subscriptions.add(subscription)
    this.#placeOne(subscription)
  }

  remove (channel: string, heard: Heard): void {
    for (const subscription of this.#subscriptions) {
      if (subscription.channel !== channel || subscription.heard !== heard) continue
      this.#subscriptions.delete(subscription)
      if (subscription.node !== undefined) this.#nodes.get(subscription.node)?.remove(channel, heard)
    }
  }

  connections (): Redis[] { return [...this.#nodes.values()].map(({ redis }) => redis) }

  close (): void {
    for (const node of this.#nodes.values()) node.close()
  }

  /** Slots may have moved, and nodes gone. */
  #place (): void {
    for (const subscription of this.#subscriptions) this.#placeOne(subscription)
    const used = new Set([...this.#subscriptions].map(({ node }) => node))
    for (const [name, node] of this.#nodes) {
      if (used.has(name)) continue
      this.#nodes.delete(name)
      node.close()
    }
    if (this.live) this.#events.live()
  }

  #placeOne (subscription: Subscription): void {
    const { channel, heard, live, node } = subscription
    const name = this.#cluster.slots[new Command('ssubscribe', [channel]).getSlot() as number]?.[0]
    if (name === undefined || name === node) return
    if (node !== undefined) this.#nodes.get(node)?.remove(channel, heard)
    subscription.node = name
    this.#node(name)?.add(channel, heard, live)
  }

  #node (name: string): Subscriptions | undefined {
    const known = this.#nodes.get(name)
    if (known !== undefined) return known
    const master = this.#cluster.nodes('master').find(({ options: { host, port } }) => `${host}:${port}` === name)
    if (master === undefined) return undefined
    // A node of the Cluster's own gives up at once: it is found by a redirection. This one may be alone on its slots.
    const redis = master.duplicate({ lazyConnect: false, enableOfflineQueue: false, retryStrategy: again })
    redis.on('error', () => {})
    const node = new Subscriptions(redis, true, this.#events)
    this.#nodes.set(name, node)
    return node
  }
}
