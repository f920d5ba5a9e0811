import type { Cluster, Redis } from 'ioredis'
import { StoreBusy, StoreUnavailable, StoreUnknown } from '../../../errors.ts'
import { Deadlines } from './deadlines.ts'
import { addressOf, masterOf } from './slots.ts'
import { maxMemoryOf } from './memory.ts'
import { changedNothing, isDenied, isReply } from './refusals.ts'
import { connect, isCluster, type RedisOptions } from './options.ts'
import { keysOf } from './scan.ts'
import type { Script } from './script.ts'
import { ShardedSubscriptions } from './sharded-subscriptions.ts'
import { Subscriptions, type Heard, type SubscriptionEvents } from './subscriptions.ts'

export type { RedisOptions } from './options.ts'
export type { Script } from './script.ts'

export type Argument = string | number | Buffer

type Command = (redis: Redis | Cluster) => Promise<unknown>

const NO_ANSWER = new Error('no answer in time')

/** Commands with a deadline and a bound, and subscriptions that survive breaks, over one Redis or Cluster. */
export class RedisLink {
  /** Commands that may wait for an answer. */
  readonly inFlight: number
  readonly #prefix: string
  readonly #timeout: number
  readonly #commands: Redis | Cluster
  readonly #subscriptions: Subscriptions | ShardedSubscriptions
  readonly #scripts = new Set<string>()
  readonly #deadlines: Deadlines
  /** What waits for the connection, in order: sends itself. */
  readonly #unsent = new Set<() => void>()
  readonly #backListeners = new Set<() => void>()
  readonly #downListeners = new Set<() => void>()
  readonly #ping: NodeJS.Timeout
  #downSince: number | undefined = performance.now()
  #upSince: number | undefined
  /** Error with which Redis refused the subscriptions, until they are live. */
  #refusal: Error | undefined
  #wasUp = false
  #corked = false
  #closed = false

  /** @param options checked by `checks` of options.ts */
  constructor ({ prefix = 'fastify-chat', timeout = 5_000, inFlight = 10_000, ...place }: RedisOptions) {
    this.#prefix = prefix
    this.#timeout = timeout
    this.inFlight = inFlight
    this.#deadlines = new Deadlines(timeout)
    this.#commands = connect(place, timeout)
    const events: SubscriptionEvents = {
      live: () => this.#look(),
      down: () => this.#look(),
      moved: () => {},
      refused: (error) => { this.#refusal = error }
    }
    this.#subscriptions = isCluster(this.#commands)
      ? new ShardedSubscriptions(this.#commands, events)
      : new Subscriptions(connect(place, timeout) as Redis, false, events)
    this.#commands.on('ready', () => {
      this.#sendWaiting()
      this.#look()
    })
    this.#commands.on('close', () => this.#look())
    // An idle connection that went silent is noticed by what it doesn't answer.
    this.#ping = setInterval(() => {
      for (const redis of this.#connections()) if (redis.status === 'ready') redis.ping().catch(() => {})
    }, timeout).unref()
  }

  /** Whether commands and subscriptions work now. */
  get up (): boolean { return !this.#closed && this.#commands.status === 'ready' && this.#subscriptions.live }
  /** ms for which commands and subscriptions have worked without a break */
  get upFor (): number { return this.#upSince === undefined ? 0 : performance.now() - this.#upSince }
  /** What a script publishes with. */
  get publishCommand (): string { return isCluster(this.#commands) ? 'SPUBLISH' : 'PUBLISH' }

  /** Subcommand of PUBSUB that counts the subscribers of a channel. */
  get countCommand (): string { return isCluster(this.#commands) ? 'SHARDNUMSUB' : 'NUMSUB' }

  /** `<prefix>:{<room>}:<rest>`: all of a room's keys share a hash slot. */
  key (room: string, rest: string): string { return `${this.#prefix}:{${room}}:${rest}` }

  /**
   * Runs a Lua script; its keys are of one room. Commands are carried out in the order of the calls.
   * Rejects UNAVAILABLE (certainly not done), BUSY (too many in flight), UNKNOWN (perhaps done).
   */
  run ({ name, keys: numberOfKeys, lua, writes }: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    if (!this.#scripts.has(name)) {
      this.#scripts.add(name)
      this.#commands.defineCommand(name, { numberOfKeys, lua })
    }
    return this.#within((redis) => (redis as unknown as Record<string, (...args: Argument[]) => Promise<unknown>>)[name]!(...keys, ...args), keys[0]!, (error) => !writes || changedNothing(error))
  }

  /** A plain command of one key or channel, by the same rules. */
  command (name: string, key: string, ...args: readonly Argument[]): Promise<unknown> {
    return this.#within((redis) => redis.call(name, key, ...args), key, isReply)
  }

  /** One that only reads: never UNKNOWN. */
  query (name: string, key: string, ...args: readonly Argument[]): Promise<unknown> {
    return this.#within((redis) => redis.call(name, key, ...args), key, () => true)
  }

  /** Resolves when live, to how to stop; heard again after a break, without what was said meanwhile. */
  subscribe (channel: string, heard: Heard): Promise<() => void> {
    return new Promise((resolve, reject) => {
      if (this.#isHopeless()) {
        reject(new StoreUnavailable())
        return
      }
      if (isDenied(this.#refusal)) {
        reject(Object.assign(new StoreUnavailable(), { cause: this.#refusal }))
        return
      }
      const stop = () => this.#subscriptions.remove(channel, heard)
      const deadline = this.#deadlines.start(() => {
        stop()
        reject(Object.assign(new StoreUnavailable(), this.#refusal !== undefined && { cause: this.#refusal }))
      })
      this.#subscriptions.add(channel, heard, (error) => {
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

  /** At most once: nobody is told when it is lost. */
  publish (channel: string, message: string | Buffer): void {
    this.command(this.publishCommand, channel, message).catch(() => {})
  }

  /** Tells each time all works, at first and after a break: what was said meanwhile is to be read. Gives how to stop. */
  onBack (listener: () => void): () => void {
    this.#backListeners.add(listener)
    return () => this.#backListeners.delete(listener)
  }

  /** Tells each time something of it no longer works. Gives how to stop. */
  onDown (listener: () => void): () => void {
    this.#downListeners.add(listener)
    return () => this.#downListeners.delete(listener)
  }

  /** Resolves as a promise does; rejects UNAVAILABLE after the time that a command has. */
  within<T> (promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const deadline = this.#deadlines.start(() => reject(new StoreUnavailable()))
      promise.then((value) => { if (this.#deadlines.end(deadline)) resolve(value) }, reject)
    })
  }

  /** Resolves with the `maxmemory` of Redis in bytes, of all masters together; 0 if one has none. Rejects if it can't be read. */
  maxMemory (): Promise<number> { return maxMemoryOf(nodes(this.#commands)) }

  /** Yields the rooms that have a key of this name, some at a time: perhaps none, and a room more than once. Rejects if one master can't be read. */
  async * rooms (rest: string): AsyncGenerator<string[]> {
    const [start, end] = [`${this.#prefix}:{`, `}:${rest}`]
    for (const master of nodes(this.#commands)) {
      for await (const keys of keysOf(master, start, end)) yield keys.map((key) => key.slice(start.length, -end.length))
    }
  }

  /** Returns whether two keys are on one master. */
  areTogether (a: string, b: string): boolean {
    return !isCluster(this.#commands) || addressOf(this.#commands, a) === addressOf(this.#commands, b)
  }

  /** What is under way is answered first, or refused within its time. */
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

  /** @param certain whether a command that failed with this error certainly changed nothing */
  #within (command: Command, key: string, certain: (error: Error) => boolean): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#isHopeless()) {
        reject(new StoreUnavailable())
        return
      }
      if (this.#deadlines.size >= this.inFlight) {
        reject(new StoreBusy())
        return
      }
      let sent = false
      const deadline = this.#deadlines.start(() => {
        if (!this.#unsent.delete(send)) this.#breakOff(key)
        reject(sent && !certain(NO_ANSWER) ? new StoreUnknown() : new StoreUnavailable())
      })
      const send = () => {
        sent = true
        command(this.#commands).then((reply) => {
          if (this.#deadlines.end(deadline)) resolve(reply)
        }, (error: Error) => {
          if (!this.#deadlines.end(deadline)) return
          reject(Object.assign(certain(error) ? new StoreUnavailable() : new StoreUnknown(), { cause: error }))
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

  /** All commands of a tick leave in one write. */
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

  /** Down for so long that nothing waits for it any more. */
  #isHopeless (): boolean {
    return this.#closed || (this.#downSince !== undefined && performance.now() - this.#downSince > this.#timeout)
  }

  #look (): void {
    if (this.#closed) return
    const { up } = this
    this.#downSince = this.#commands.status === 'ready' ? undefined : this.#downSince ?? performance.now()
    if (up === this.#wasUp) return
    this.#wasUp = up
    this.#upSince = up ? performance.now() : undefined
    if (up) this.#refusal = undefined
    for (const listener of up ? this.#backListeners : this.#downListeners) listener()
  }

  /** What doesn't answer in time is given up with all that waits for it, or that would be without bound. */
  #breakOff (key: string): void {
    // In a Cluster the others go on.
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
