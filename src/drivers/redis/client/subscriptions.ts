import type { Redis } from 'ioredis'
import { Backoff } from './backoff.ts'
import { isReady } from './connect.ts'
import { isDenied, withoutArguments } from './reply-errors.ts'

/** Channels per command. */
const CHUNK = 1_000

/** Called with each message of a channel. */
export type MessageListener = (message: Buffer) => void

/** Called when the state of the subscriptions changes. */
export interface SubscriptionEvents {
  /** All channels are subscribed, for the first time or again. */
  readonly live: () => void
  readonly down: () => void
  /** A channel can't be subscribed on this node, because another node has its slot. */
  readonly moved: () => void
  /** Redis rejected a subscription. It is tried again. */
  readonly refused: (redis: Redis, error: Error) => void
  /** Called with each connection when it is made. Returns a function that is called before the connection is closed. */
  readonly connected: (redis: Redis) => () => void
}

/** Called once: without an error when the channel is subscribed, with one when it can't be. */
export type OnSettled = (error?: Error) => void

/** waiting: called once the channel is subscribed, or can't be. */
interface Channel { readonly listeners: Set<MessageListener>, readonly waiting: Set<OnSettled> }

/** Subscriptions of one connection. They are restored after a disconnect. */
export class Subscriptions {
  readonly #redis: Redis
  readonly #sharded: boolean
  readonly #events: SubscriptionEvents
  readonly #channels = new Map<string, Channel>()
  /** Channels that were added or removed in this tick. */
  readonly #changed = new Set<string>()
  readonly #onClose: () => void
  readonly #backoff = new Backoff()
  /** Until the next attempt to subscribe all channels, after Redis rejected it. */
  #retry: NodeJS.Timeout | undefined
  #live = false

  /**
   * @param redis a connection that is used for nothing else
   * @param sharded whether the connection is to a node of a Cluster, which needs SSUBSCRIBE
   */
  constructor (redis: Redis, sharded: boolean, events: SubscriptionEvents) {
    this.#redis = redis
    this.#sharded = sharded
    this.#events = events
    const endConnected = events.connected(redis)
    redis.on(sharded ? 'smessageBuffer' : 'messageBuffer', (channel: Buffer, message: Buffer) => {
      for (const onMessage of this.#channels.get(channel.toString())?.listeners ?? []) call(onMessage, message)
    })
    redis.on('moved', events.moved)
    redis.on('ready', () => { if (isReady(redis)) this.#subscribeAll() })
    const onLost = () => {
      this.#live = false
      this.#endRetry()
      events.down()
    }
    redis.on('close', onLost)
    // A connection that is closed because no channel needs it isn't lost: the others may still be connecting.
    this.#onClose = () => {
      endConnected()
      redis.off('close', onLost)
    }
    if (isReady(redis)) this.#subscribeAll()
  }

  get live (): boolean { return this.#live }
  get redis (): Redis { return this.#redis }

  connections (): Redis[] { return [this.#redis] }

  add (name: string, onMessage: MessageListener, onSettled: OnSettled): void {
    let channel = this.#channels.get(name)
    if (channel === undefined) this.#channels.set(name, channel = { listeners: new Set(), waiting: new Set() })
    channel.listeners.add(onMessage)
    channel.waiting.add(onSettled)
    // If this fails, or the connection isn't ready, the channel is subscribed when the connection is next ready.
    this.#change(name)
  }

  remove (name: string, onMessage: MessageListener): void {
    const channel = this.#channels.get(name)
    if (channel?.listeners.delete(onMessage) !== true || channel.listeners.size > 0) return
    this.#channels.delete(name)
    this.#change(name)
  }

  /** Resolves when the messages that Redis sent before the call have been passed to the listeners. Rejects if Redis doesn't reply. */
  async received (_name: string): Promise<void> {
    // Redis sends its reply after the messages.
    if (isReady(this.#redis)) await this.#redis.ping()
  }

  close (): void {
    this.#endRetry()
    this.#onClose()
    this.#redis.disconnect()
  }

  #endRetry (): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
  }

  /** Joins the changes of one tick: 20,000 commands of one channel would block this process for a second. */
  #change (name: string): void {
    if (!isReady(this.#redis)) return
    if (this.#changed.size === 0) process.nextTick(() => this.#sendChanges())
    this.#changed.add(name)
  }

  #sendChanges (): void {
    const changed = [...this.#changed]
    this.#changed.clear()
    if (!isReady(this.#redis)) return
    const [added, removed] = [changed.filter((name) => this.#channels.has(name)), changed.filter((name) => !this.#channels.has(name))]
    this.#cork()
    for (const names of this.#chunks(added)) this.#subscribe(names).catch(() => {})
    for (const names of this.#chunks(removed)) {
      const unsubscribed = this.#sharded ? this.#redis.sunsubscribe(...names) : this.#redis.unsubscribe(...names)
      unsubscribed.catch(() => {})
    }
  }

  /** Returns the channels by command. In a Cluster, the channels of one command must share a slot. */
  #chunks (names: readonly string[]): string[][] {
    const chunks: string[][] = []
    for (const group of this.#sharded ? groupedByTag(names) : [names]) {
      for (let i = 0; i < group.length; i += CHUNK) chunks.push(group.slice(i, i + CHUNK))
    }
    return chunks
  }

  /** Joins the commands of this tick into one write. */
  #cork (): void {
    const { stream } = this.#redis
    stream.cork()
    process.nextTick(() => stream.uncork())
  }

  #subscribeAll (): void {
    this.#endRetry()
    this.#cork()
    // Channels that are added from here on subscribe themselves, on the same connection.
    Promise.all(this.#chunks([...this.#channels.keys()]).map((names) => this.#subscribe(names))).then(() => {
      if (!isReady(this.#redis)) return
      this.#live = true
      this.#backoff.works()
      this.#events.live()
    }, () => {})
  }

  async #subscribe (names: string[]): Promise<void> {
    // A channel that is removed and added again meanwhile is settled by its own command.
    const channels = names.flatMap((name) => this.#channels.get(name) ?? [])
    try {
      await (this.#sharded ? this.#redis.ssubscribe(...names) : this.#redis.subscribe(...names))
    } catch (error) {
      // `close` reports a disconnect. Otherwise Redis rejected the connection's user, or another node has the slot.
      if (isReady(this.#redis)) this.#reject(channels, error as Error)
      throw error
    }
    for (const channel of channels) this.#settle(channel)
  }

  #settle ({ waiting }: Channel, error?: Error): void {
    const settled = [...waiting]
    waiting.clear()
    for (const onSettled of settled) onSettled(error)
  }

  #reject (channels: readonly Channel[], error: Error): void {
    withoutArguments(error)
    if (isDenied(error)) {
      // Other connections of this user lack the permission too.
      for (const channel of channels) this.#settle(channel, error)
    }
    this.#events.refused(this.#redis, error)
    if (this.#sharded && !isDenied(error)) this.#events.moved()
    // Live channels stay subscribed.
    if (!this.#live) this.#retry ??= setTimeout(() => this.#subscribeAll(), this.#backoff.next()).unref()
  }
}

function groupedByTag (names: readonly string[]): string[][] {
  const groups = new Map<string, string[]>()
  for (const name of names) {
    const tag = hashTag(name)
    const group = groups.get(tag)
    if (group === undefined) groups.set(tag, [name])
    else group.push(name)
  }
  return [...groups.values()]
}

/** Returns the part of a channel that determines its slot: between the first braces, if it isn't empty. */
function hashTag (name: string): string {
  const start = name.indexOf('{') + 1
  const end = name.indexOf('}', start)
  return start > 0 && end > start ? name.slice(start, end) : name
}

/** Calls a listener. Any client of Redis can publish, so an invalid message must not end the process. */
function call (onMessage: MessageListener, message: Buffer): void {
  try {
    onMessage(message)
  } catch (error) {
    process.emitWarning(error as Error)
  }
}
