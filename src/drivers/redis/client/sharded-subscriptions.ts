import type { Cluster, Redis } from 'ioredis'
import { connectToNode } from './connect.ts'
import { addressOfSlot, masterAt, slotOf } from './masters.ts'
import { Subscriptions, type MessageListener, type OnSettled, type SubscriptionEvents } from './subscriptions.ts'

/** address: of the node that the channel is subscribed on. listeners: each with its callback for the outcome. */
interface Channel { readonly slot: number, address: string | undefined, readonly listeners: Map<MessageListener, OnSettled> }

/**
 * Subscribes each channel on the master of its slot in a Cluster, and on the new master when the slot moves.
 *
 * Replaces `shardedSubscribers` of ioredis, which lose channels without notice. Seen in ioredis 6.0.0: when a connection is
 * restored and Redis rejects SSUBSCRIBE (NOPERM), `ClusterSubscriberGroup#_resubscribe` passes the error only to `debug`, emits
 * `subscribersReady`, and never retries, even after the permission is back. That event is also emitted before the replies to
 * SSUBSCRIBE, so a feed couldn't know when to read what it missed.
 */
export class ShardedSubscriptions {
  readonly #cluster: Cluster
  readonly #timeout: number
  readonly #events: SubscriptionEvents
  readonly #nodes = new Map<string, Subscriptions>()
  readonly #channels = new Map<string, Channel>()

  /** @param timeout of connections to nodes, in ms */
  constructor (cluster: Cluster, timeout: number, events: SubscriptionEvents) {
    this.#cluster = cluster
    this.#timeout = timeout
    this.#events = { ...events, moved: () => cluster.refreshSlotsCache() }
    cluster.on('refresh', () => this.#assignAll())
  }

  get live (): boolean {
    for (const { address } of this.#channels.values()) if (address === undefined) return false
    for (const { live } of this.#nodes.values()) if (!live) return false
    return true
  }

  add (name: string, onMessage: MessageListener, onSettled: OnSettled): void {
    let channel = this.#channels.get(name)
    if (channel === undefined) this.#channels.set(name, channel = { slot: slotOf(name), address: undefined, listeners: new Map() })
    channel.listeners.set(onMessage, onSettled)
    if (channel.address === undefined) this.#assign(name, channel)
    else this.#nodes.get(channel.address)?.add(name, onMessage, onSettled)
  }

  remove (name: string, onMessage: MessageListener): void {
    const channel = this.#channels.get(name)
    if (channel?.listeners.delete(onMessage) !== true) return
    if (channel.listeners.size === 0) this.#channels.delete(name)
    if (channel.address !== undefined) this.#nodes.get(channel.address)?.remove(name, onMessage)
  }

  /** As `Subscriptions.received`, for the messages of one channel. */
  async received (name: string): Promise<void> {
    const address = this.#channels.get(name)?.address
    if (address !== undefined) await this.#nodes.get(address)?.received(name)
  }

  connections (): Redis[] { return [...this.#nodes.values()].map(({ redis }) => redis) }

  close (): void {
    // A later `refresh` of the Cluster must not subscribe again.
    this.#channels.clear()
    for (const node of this.#nodes.values()) node.close()
  }

  /** Called when slots may have moved, or nodes left the Cluster. */
  #assignAll (): void {
    for (const [name, channel] of this.#channels) this.#assign(name, channel)
    const used = new Set(Array.from(this.#channels.values(), ({ address }) => address))
    for (const [address, node] of this.#nodes) {
      if (used.has(address)) continue
      this.#nodes.delete(address)
      node.close()
    }
    if (this.live) this.#events.live()
  }

  #assign (name: string, channel: Channel): void {
    const address = addressOfSlot(this.#cluster, channel.slot)
    if (address === undefined || address === channel.address) return
    const node = this.#node(address)
    if (node === undefined) return
    for (const [onMessage, onSettled] of channel.listeners) {
      if (channel.address !== undefined) this.#nodes.get(channel.address)?.remove(name, onMessage)
      node.add(name, onMessage, onSettled)
    }
    const hasMoved = channel.address !== undefined
    channel.address = address
    // What was published before the new connection is live is lost.
    if (hasMoved) this.#events.down()
  }

  #node (address: string): Subscriptions | undefined {
    const known = this.#nodes.get(address)
    if (known !== undefined) return known
    const master = masterAt(this.#cluster, address)
    if (master === undefined) return undefined
    // Connections of the Cluster's own pool don't reconnect: a redirection finds their node again. This node may be the
    // only one for its slots, so the connection retries.
    const node = new Subscriptions(connectToNode(master, this.#timeout), true, this.#events)
    this.#nodes.set(address, node)
    return node
  }
}
