import type { Redis } from 'ioredis'
import { isDenied } from './refusals.ts'

/** How many channels are asked for in one command. */
const CHUNK = 1_000

export type Heard = (message: Buffer) => void

/** What becomes of the subscriptions. */
export interface SubscriptionEvents {
  /** All channels are heard, again or for the first time. */
  readonly live: () => void
  readonly down: () => void
  /** A channel is not to be had here: its slot is elsewhere. */
  readonly moved: () => void
  /** Redis answered a subscription with an error. */
  readonly refused: (error: Error) => void
}

/** Called once: when the channel is heard, or with the error for which it can't be. */
export type Settle = (error?: Error) => void

interface Channel { readonly hearers: Set<Heard>, readonly waiting: Set<Settle> }

/** What is heard on one connection: asked for again after a break. */
export class Subscriptions {
  readonly #redis: Redis
  readonly #sharded: boolean
  readonly #events: SubscriptionEvents
  readonly #channels = new Map<string, Channel>()
  #live = false

  /**
   * @param redis a connection for this alone
   * @param sharded of a Cluster's node: SSUBSCRIBE
   */
  constructor (redis: Redis, sharded: boolean, events: SubscriptionEvents) {
    this.#redis = redis
    this.#sharded = sharded
    this.#events = events
    redis.on(sharded ? 'smessageBuffer' : 'messageBuffer', (channel: Buffer, message: Buffer) => {
      for (const heard of this.#channels.get(channel.toString())?.hearers ?? []) hear(heard, message)
    })
    redis.on('moved', events.moved)
    redis.on('ready', () => this.#askForAll())
    redis.on('close', () => {
      this.#live = false
      events.down()
    })
    if (redis.status === 'ready') this.#askForAll()
  }

  get live (): boolean { return this.#live }
  get redis (): Redis { return this.#redis }

  connections (): Redis[] { return [this.#redis] }

  add (name: string, heard: Heard, settle: Settle): void {
    let channel = this.#channels.get(name)
    if (channel === undefined) this.#channels.set(name, channel = { hearers: new Set(), waiting: new Set() })
    channel.hearers.add(heard)
    channel.waiting.add(settle)
    // Else all are asked for once the connection is there, and one that fails is asked for again with it.
    if (this.#redis.status === 'ready') this.#ask([name]).catch(() => {})
  }

  remove (name: string, heard: Heard): void {
    const channel = this.#channels.get(name)
    if (channel?.hearers.delete(heard) !== true || channel.hearers.size > 0) return
    this.#channels.delete(name)
    if (this.#redis.status !== 'ready') return
    const gone = this.#sharded ? this.#redis.sunsubscribe(name) : this.#redis.unsubscribe(name)
    gone.catch(() => {})
  }

  close (): void { this.#redis.disconnect() }

  #askForAll (): void {
    const names = [...this.#channels.keys()]
    const chunks: string[][] = []
    // In a Cluster channels of one command must be of one slot.
    const size = this.#sharded ? 1 : CHUNK
    for (let i = 0; i < names.length; i += size) chunks.push(names.slice(i, i + size))
    // Those that come from here on ask for themselves, on the same connection.
    Promise.all(chunks.map((chunk) => this.#ask(chunk))).then(() => {
      if (this.#redis.status !== 'ready') return
      this.#live = true
      this.#events.live()
    }, () => {})
  }

  async #ask (names: string[]): Promise<void> {
    try {
      await (this.#sharded ? this.#redis.ssubscribe(...names) : this.#redis.subscribe(...names))
    } catch (error) {
      // A break is told by `close`; this is a refusal, of this connection's or of the channel's place.
      if (this.#redis.status === 'ready') this.#refused(names, error as Error)
      throw error
    }
    for (const name of names) {
      const channel = this.#channels.get(name)
      if (channel === undefined) continue
      this.#settle(channel)
    }
  }

  #settle ({ waiting }: Channel, error?: Error): void {
    const settled = [...waiting]
    waiting.clear()
    for (const settle of settled) settle(error)
  }

  #refused (names: readonly string[], error: Error): void {
    if (isDenied(error)) {
      // No other connection of this user has the right either.
      for (const name of names) {
        const channel = this.#channels.get(name)
        if (channel !== undefined) this.#settle(channel, error)
      }
      // Channels that are live stay so.
      if (this.#live) return
    }
    this.#events.refused(error)
    if (this.#sharded) this.#events.moved()
    else this.#redis.disconnect(true)
  }
}

/** Anyone who reaches Redis can publish: what can't be understood ends no process. */
function hear (heard: Heard, message: Buffer): void {
  try {
    heard(message)
  } catch (error) {
    process.emitWarning(error as Error)
  }
}
