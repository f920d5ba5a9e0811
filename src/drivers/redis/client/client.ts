import type { Cluster, Redis } from 'ioredis'
import { StoreBusy, StoreUnavailable, StoreUnknown } from '../../../errors.ts'
import { Deadlines } from './deadlines.ts'
import { addressOf, masterOf } from './slots.ts'
import { maxMemoryOf } from './memory.ts'
import { changedNothing, isDenied, isReply } from './reply-errors.ts'
import { connect, isCluster, type RedisOptions } from './options.ts'
import { keysOf } from './scan.ts'
import type { Script } from './script.ts'
import { ShardedSubscriptions } from './sharded-subscriptions.ts'
import { Subscriptions, type Heard, type SubscriptionEvents } from './subscriptions.ts'

export type { RedisOptions } from './options.ts'
export type { Script } from './script.ts'

export type Argument = string | number | Buffer

type Command = (redis: Redis | Cluster) => Promise<unknown>

const NO_REPLY = new Error('no answer in time')

/** Connections to one Redis or Cluster. Commands have a deadline and a limit; subscriptions survive disconnects. */
export class RedisLink {
  /** Maximum number of commands that wait for a reply. */
  readonly inFlight: number
  readonly #prefix: string
  readonly #timeout: number
  readonly #commands: Redis | Cluster
  readonly #subscriptions: Subscriptions | ShardedSubscriptions
  readonly #scripts = new Set<string>()
  readonly #deadlines: Deadlines
  /** Send functions of the commands that wait for the connection, in order. */
  readonly #unsent = new Set<() => void>()
  readonly #backListeners = new Set<() => void>()
  readonly #downListeners = new Set<() => void>()
  readonly #ping: NodeJS.Timeout
  #downSince: number | undefined = performance.now()
  #upSince: number | undefined
  /** Error with which Redis rejected the subscriptions; undefined while they are live. */
  #refusal: Error | undefined
  #wasUp = false
  #corked = false
  #closed = false

  /** @param options must have passed the `checks` of options.ts */
  constructor ({ prefix = 'fastify-chat', timeout = 5_000, inFlight = 10_000, ...target }: RedisOptions) {
    this.#prefix = prefix
    this.#timeout = timeout
    this.inFlight = inFlight
    this.#deadlines = new Deadlines(timeout)
    this.#commands = connect(target, timeout)
    const events: SubscriptionEvents = {
      live: () => this.#updateState(),
      down: () => this.#updateState(),
      moved: () => {},
      refused: (error) => { this.#refusal = error }
    }
    this.#subscriptions = isCluster(this.#commands)
      ? new ShardedSubscriptions(this.#commands, events)
      : new Subscriptions(connect(target, timeout) as Redis, false, events)
    this.#commands.on('ready', () => {
      this.#sendWaiting()
      this.#updateState()
    })
    this.#commands.on('close', () => this.#updateState())
    // A ping makes an idle connection that went silent run into `socketTimeout`.
    this.#ping = setInterval(() => {
      for (const redis of this.#connections()) if (redis.status === 'ready') redis.ping().catch(() => {})
    }, timeout).unref()
  }

  /** Whether commands and subscriptions work now. */
  get up (): boolean { return !this.#closed && this.#commands.status === 'ready' && this.#subscriptions.live }
  /** ms since commands and subscriptions began to work; 0 while they don't */
  get upFor (): number { return this.#upSince === undefined ? 0 : performance.now() - this.#upSince }
  /** Command that publishes to a channel. */
  get publishCommand (): string { return isCluster(this.#commands) ? 'SPUBLISH' : 'PUBLISH' }

  /** Subcommand of PUBSUB that counts the subscribers of a channel. */
  get countCommand (): string { return isCluster(this.#commands) ? 'SHARDNUMSUB' : 'NUMSUB' }

  /** Returns `<prefix>:{<room>}:<rest>`. All keys of a room share a hash slot. */
  key (room: string, rest: string): string { return `${this.#prefix}:{${room}}:${rest}` }

  /**
   * Runs a Lua script. Commands run in the order of the calls.
   * Rejects with StoreUnavailable (certainly not run), StoreBusy (too many in flight) or StoreUnknown (perhaps run).
   */
  run ({ name, keys: numberOfKeys, lua, writes }: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    if (!this.#scripts.has(name)) {
      this.#scripts.add(name)
      this.#commands.defineCommand(name, { numberOfKeys, lua })
    }
    return this.#within((redis) => (redis as unknown as Record<string, (...args: Argument[]) => Promise<unknown>>)[name]!(...keys, ...args), keys[0]!, (error) => !writes || changedNothing(error))
  }

  /** Sends a command of one key or channel. Rejects as `run` does. */
  command (name: string, key: string, ...args: readonly Argument[]): Promise<unknown> {
    return this.#within((redis) => redis.call(name, key, ...args), key, isReply)
  }

  /** Sends a command that only reads. Never rejects with StoreUnknown. */
  query (name: string, key: string, ...args: readonly Argument[]): Promise<unknown> {
    return this.#within((redis) => redis.call(name, key, ...args), key, () => true)
  }

  /**
   * Resolves with an unsubscribe function when the subscription is live. It is restored after a disconnect; messages
   * published meanwhile are lost. Rejects with StoreUnavailable.
   */
  subscribe (channel: string, onMessage: Heard): Promise<() => void> {
    return new Promise((resolve, reject) => {
      if (this.#failsFast()) {
        reject(new StoreUnavailable())
        return
      }
      if (isDenied(this.#refusal)) {
        reject(Object.assign(new StoreUnavailable(), { cause: this.#refusal }))
        return
      }
      const stop = () => this.#subscriptions.remove(channel, onMessage)
      const deadline = this.#deadlines.start(() => {
        stop()
        reject(Object.assign(new StoreUnavailable(), this.#refusal !== undefined && { cause: this.#refusal }))
      })
      this.#subscriptions.add(channel, onMessage, (error) => {
        if (!this.#deadlines.end(deadline)) return
        if (error === undefined) {
          resolve(stop)
        } else {
          stop()
          reject(Object.assign(new StoreUnavailable(), { cause: error }))
        }
      })
    })
  }

  /** Publishes at most once. A lost message is not reported. */
  publish (channel: string, message: string | Buffer): void {
    this.command(this.publishCommand, channel, message).catch(() => {})
  }

  /**
   * Calls the listener each time that commands and subscriptions begin to work, also the first time. Messages published
   * during a break are lost: the listener must read what it missed. Returns an unsubscribe function.
   */
  onBack (listener: () => void): () => void {
    this.#backListeners.add(listener)
    return () => this.#backListeners.delete(listener)
  }

  /** Calls the listener each time that commands or subscriptions stop working. Returns an unsubscribe function. */
  onDown (listener: () => void): () => void {
    this.#downListeners.add(listener)
    return () => this.#downListeners.delete(listener)
  }

  /** Settles as the promise does. Rejects with StoreUnavailable after the timeout of a command. */
  within<T> (promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const deadline = this.#deadlines.start(() => reject(new StoreUnavailable()))
      promise.then((value) => { if (this.#deadlines.end(deadline)) resolve(value) }, reject)
    })
  }

  /** Resolves with the `maxmemory` of all masters together, in bytes; 0 if a master has none. Rejects if it can't be read. */
  maxMemory (): Promise<number> { return maxMemoryOf(nodes(this.#commands)) }

  /**
   * Yields, in batches, the rooms that have a key of this name. A batch may be empty, and a room may be repeated.
   * Rejects if a master can't be read.
   */
  async * rooms (rest: string): AsyncGenerator<string[]> {
    const [start, end] = [`${this.#prefix}:{`, `}:${rest}`]
    for (const master of nodes(this.#commands)) {
      for await (const keys of keysOf(master, start, end)) yield keys.map((key) => key.slice(start.length, -end.length))
    }
  }

  /** Returns whether the same master holds both keys. */
  areTogether (a: string, b: string): boolean {
    return !isCluster(this.#commands) || addressOf(this.#commands, a) === addressOf(this.#commands, b)
  }

  /** Closes the connections once the commands in flight have settled. Rejects those at once while Redis is down. */
  async close (): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#ping)
    this.#backListeners.clear()
    this.#downListeners.clear()
    if (!this.#isWritable()) this.#deadlines.pass()
    await this.#deadlines.over()
    this.#subscriptions.close()
    this.#commands.disconnect()
  }

  /** @param isUnchanged returns whether a command that failed with this error certainly changed nothing */
  #within (command: Command, key: string, isUnchanged: (error: Error) => boolean): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#failsFast()) {
        reject(new StoreUnavailable())
        return
      }
      if (this.#deadlines.size >= this.inFlight) {
        reject(new StoreBusy())
        return
      }
      let sent = false
      const deadline = this.#deadlines.start(() => {
        if (!this.#unsent.delete(send)) this.#disconnect(key)
        reject(sent && !isUnchanged(NO_REPLY) ? new StoreUnknown() : new StoreUnavailable())
      })
      const send = () => {
        sent = true
        command(this.#commands).then((reply) => {
          if (this.#deadlines.end(deadline)) resolve(reply)
        }, (error: Error) => {
          if (!this.#deadlines.end(deadline)) return
          reject(Object.assign(isUnchanged(error) ? new StoreUnavailable() : new StoreUnknown(), { cause: error }))
        })
      }
      this.#unsent.add(send)
      this.#sendWaiting()
    })
  }

  #sendWaiting (): void {
    if (!this.#isWritable()) return
    this.#cork()
    for (const send of this.#unsent) {
      this.#unsent.delete(send)
      send()
    }
  }

  /** Joins the commands of one tick into one write. */
  #cork (): void {
    if (this.#corked || isCluster(this.#commands)) return
    const { stream } = this.#commands
    this.#corked = true
    stream.cork()
    process.nextTick(() => {
      this.#corked = false
      stream.uncork()
    })
  }

  #isWritable (): boolean {
    return this.#commands.status === 'ready' && (isCluster(this.#commands) || this.#commands.stream.writable)
  }

  /** Returns whether Redis has been down for longer than the timeout. Commands then fail at once. */
  #failsFast (): boolean {
    return this.#closed || (this.#downSince !== undefined && performance.now() - this.#downSince > this.#timeout)
  }

  #updateState (): void {
    if (this.#closed) return
    const { up } = this
    this.#downSince = this.#commands.status === 'ready' ? undefined : this.#downSince ?? performance.now()
    if (up === this.#wasUp) return
    this.#wasUp = up
    this.#upSince = up ? performance.now() : undefined
    if (up) this.#refusal = undefined
    for (const listener of up ? this.#backListeners : this.#downListeners) listener()
  }

  /** Destroys the connection of a command that timed out. ioredis would otherwise hold unanswered commands without limit. */
  #disconnect (key: string): void {
    // In a Cluster, connections to the other masters stay open.
    const redis = isCluster(this.#commands) ? masterOf(this.#commands, key) : this.#commands
    redis?.stream?.destroy()
  }

  * #connections (): Iterable<Redis> {
    yield * nodes(this.#commands)
    yield * this.#subscriptions.connections()
  }
}

function nodes (redis: Redis | Cluster): Redis[] {
  return isCluster(redis) ? redis.nodes('master') : [redis]
}
