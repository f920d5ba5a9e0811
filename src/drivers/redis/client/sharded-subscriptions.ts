import type { Cluster, Redis } from 'ioredis'
import { addressOf, masterAt } from './slots.ts'
import { again } from './options.ts'
import { Subscriptions, type Heard, type Settle, type SubscriptionEvents } from './subscriptions.ts'

/** address: of the node that it is heard from. hearers: each with what is called when it is heard, or can't be. */
interface Channel { address: string | undefined, readonly hearers: Map<Heard, Settle> }

/** What is heard from a Cluster: each channel from the master of its slot, also after the slot has moved. */
export class ShardedSubscriptions {
  readonly #cluster: Cluster
  readonly #events: SubscriptionEvents
  readonly #nodes = new Map<string, Subscriptions>()
  readonly #channels = new Map<string, Channel>()

  constructor (cluster: Cluster, events: SubscriptionEvents) {
    this.#cluster = cluster
    this.#events = { ...events, moved: () => cluster.refreshSlotsCache() }
    cluster.on('refresh', () => this.#place())
  }

  get live (): boolean {
    for (const { address } of this.#channels.values()) if (address === undefined) return false
    for (const { live } of this.#nodes.values()) if (!live) return false
    return true
  }

  add (name: string, heard: Heard, settle: Settle): void {
    let channel = this.#channels.get(name)
    if (channel === undefined) this.#channels.set(name, channel = { address: undefined, hearers: new Map() })
    channel.hearers.set(heard, settle)
    if (channel.address === undefined) this.#placeOne(name, channel)
    else this.#nodes.get(channel.address)?.add(name, heard, settle)
  }

  remove (name: string, heard: Heard): void {
    const channel = this.#channels.get(name)
    if (channel?.hearers.delete(heard) !== true) return
    if (channel.hearers.size === 0) this.#channels.delete(name)
    if (channel.address !== undefined) this.#nodes.get(channel.address)?.remove(name, heard)
  }

  connections (): Redis[] { return [...this.#nodes.values()].map(({ redis }) => redis) }

  close (): void {
    // Nothing is to be placed any more by what is still said of the Cluster.
    this.#channels.clear()
    for (const node of this.#nodes.values()) node.close()
  }

  /** Slots may have moved, and nodes gone. */
  #place (): void {
    for (const [name, channel] of this.#channels) this.#placeOne(name, channel)
    const used = new Set(Array.from(this.#channels.values(), ({ address }) => address))
    for (const [address, node] of this.#nodes) {
      if (used.has(address)) continue
      this.#nodes.delete(address)
      node.close()
    }
    if (this.live) this.#events.live()
  }

  #placeOne (name: string, channel: Channel): void {
    const address = addressOf(this.#cluster, name)
    if (address === undefined || address === channel.address) return
    const node = this.#node(address)
    if (node === undefined) return
    for (const [heard, settle] of channel.hearers) {
      if (channel.address !== undefined) this.#nodes.get(channel.address)?.remove(name, heard)
      node.add(name, heard, settle)
    }
    channel.address = address
  }

  #node (address: string): Subscriptions | undefined {
    const known = this.#nodes.get(address)
    if (known !== undefined) return known
    const master = masterAt(this.#cluster, address)
    if (master === undefined) return undefined
    // A node of the Cluster's own gives up at once: it is found by a redirection. This one may be alone on its slots.
    const redis = master.duplicate({ lazyConnect: false, enableOfflineQueue: false, retryStrategy: again })
    redis.on('error', () => {})
    const node = new Subscriptions(redis, true, this.#events)
    this.#nodes.set(address, node)
    return node
  }
}
