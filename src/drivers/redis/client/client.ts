import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster, Redis } from 'ioredis'
import { CommandSender } from './command-sender.ts'
import { isCluster, isReady } from './connect.ts'
import type { ConnectionLog } from './connection-log.ts'
import { Connections } from './connections.ts'
import { Deadlines } from './deadlines.ts'
import { areTogether, mastersOf } from './masters.ts'
import { maxMemoryOf } from './memory.ts'
import { FormatCheck } from './format-check.ts'
import { changedNothing, isReply } from './reply-errors.ts'
import type { ConnectionOptions } from './options.ts'
import { keysOf } from './scan.ts'
import type { Script } from './script.ts'
import type { MessageListener } from './subscriptions.ts'

export type Argument = string | number | Buffer

/** Commands that ioredis adds to a client with `defineCommand`. */
type DefinedCommands = Record<string, (...args: Argument[]) => Promise<unknown>>

/** Maximum ms that `open` waits for Redis: less than Fastify's default `pluginTimeout`. */
const OPEN_TIMEOUT = 5_000

/** A client of one Redis or Cluster. Commands have a deadline and a limit; subscriptions survive disconnects. */
export class RedisClient {
  /** Maximum number of commands that wait for a reply. */
  readonly inFlight: number
  /** ms until a command without a reply is rejected */
  readonly timeout: number
  readonly #prefix: string
  readonly #connections: Connections
  readonly #commands: Redis | Cluster
  readonly #scripts = new Set<string>()
  readonly #deadlines: Deadlines
  /** Deadlines of subscriptions, which don't count towards `inFlight`. */
  readonly #subscribing: Deadlines
  readonly #sender: CommandSender
  readonly #format: FormatCheck
  #closed = false

  /** @param options must have passed `connectionChecks` and `checkTarget` @param log logs failures of the connections */
  constructor ({ prefix = 'fastify-chat', timeout = 5_000, inFlight = 10_000, ...target }: ConnectionOptions, log?: ConnectionLog) {
    this.#prefix = prefix
    this.timeout = timeout
    this.inFlight = inFlight
    this.#deadlines = new Deadlines(timeout)
    this.#subscribing = new Deadlines(timeout)
    const connections = this.#connections = new Connections(target, timeout, log, () => {
      // Again after each disconnect: Redis may hold other data now.
      this.#format.run()
      this.#sender.sendWaiting()
    })
    this.#commands = connections.commands
    const formatKeys = [this.key('store', 'used'), this.key('store', 'format')] as const
    this.#format = new FormatCheck(this.#commands, prefix, formatKeys, {
      verified: () => this.#sender.sendWaiting(),
      refused: (error) => this.#sender.rejectWaiting(error),
      // Without a reply, the commands wait for the next connection.
      failed: (error) => { if (isReply(error)) this.#sender.rejectWaiting(connections.unavailable(error)) }
    })
    this.#sender = new CommandSender(this.#commands, this.#deadlines, inFlight, {
      refusal: () => connections.state.failsFast ? connections.unavailable() : this.#format.refusal,
      isOpen: () => {
        if (!this.#format.isVerified) this.#format.run()
        return this.#format.isVerified
      }
    })
  }

  /** The error of all calls while Redis holds data of another format. */
  get refusal (): Error | undefined { return this.#format.refusal }

  /** Whether commands and subscriptions work now. */
  get up (): boolean { return !this.#closed && this.#connections.areUp }

  /** ms since commands and subscriptions began to work; 0 while they don't */
  get upFor (): number { return this.#connections.state.upFor }

  /** Whether the keys of one script must share a hash slot. */
  get isCluster (): boolean { return isCluster(this.#commands) }

  /** Command that publishes to a channel. */
  get publishCommand (): string { return isCluster(this.#commands) ? 'SPUBLISH' : 'PUBLISH' }

  /** Subcommand of PUBSUB that counts the subscribers of a channel. */
  get countCommand (): string { return isCluster(this.#commands) ? 'SHARDNUMSUB' : 'NUMSUB' }

  /** Returns `<prefix>:{<room>}:<rest>`. All keys of a room share a hash slot. */
  key (room: string, rest: string): string { return `${this.#prefix}:{${room}}:${rest}` }

  /** Returns the name of a channel. It has the number of the database, which Redis ignores for channels, unless it is 0. */
  channel (room: string, rest: string): string {
    const db = isCluster(this.#commands) ? 0 : this.#commands.options.db ?? 0
    return this.key(room, db === 0 ? rest : `${rest}:${db}`)
  }

  /** Resolves when Redis is known to hold data of this format, or can't be asked for now. Rejects with StoreFormat. */
  async open (): Promise<void> {
    const away = new Promise<void>((resolve) => { this.#commands.once('close', resolve) })
    await Promise.race([this.#format.settled, away, sleep(Math.min(this.timeout, OPEN_TIMEOUT), undefined, { ref: false })])
    if (this.refusal !== undefined) throw this.refusal
  }

  /**
   * Runs a Lua script. Commands run in the order of the calls.
   * Rejects with StoreUnavailable (certainly not run), StoreBusy (too many in flight) or StoreUnknown (perhaps run).
   */
  run ({ name, keys: numberOfKeys, lua, writes }: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    if (!this.#scripts.has(name)) {
      this.#scripts.add(name)
      this.#commands.defineCommand(name, { lua, ...numberOfKeys !== undefined && { numberOfKeys } })
    }
    const count = numberOfKeys === undefined ? [keys.length] : []
    const call = (redis: Redis | Cluster) => (redis as unknown as DefinedCommands)[name]!(...count, ...keys, ...args)
    return this.#sender.send(call, keys[0]!, (error) => !writes || changedNothing(error))
  }

  /** Sends a command of one key or channel. Rejects as `run` does. */
  command (name: string, key: string, ...args: readonly Argument[]): Promise<unknown> {
    return this.#sender.send((redis) => redis.call(name, key, ...args), key, isReply)
  }

  /** Sends a command that only reads. Never rejects with StoreUnknown. */
  query (name: string, key: string, ...args: readonly Argument[]): Promise<unknown> {
    return this.#sender.send((redis) => redis.call(name, key, ...args), key, () => true)
  }

  /** Sends a command at once, whatever the format of the data is. Rejects with the error of Redis. */
  probe (name: string, key: string, ...args: readonly Argument[]): Promise<unknown> {
    return this.within(this.#commands.call(name, key, ...args))
  }

  /** Publishes at most once. A lost message is not reported. */
  publish (channel: string, message: string | Buffer): void {
    this.command(this.publishCommand, channel, message).catch(() => {})
  }

  /**
   * Resolves with an unsubscribe function when the subscription is live. It is restored after a disconnect; messages
   * published meanwhile are lost. Rejects with StoreUnavailable.
   */
  subscribe (channel: string, onMessage: MessageListener): Promise<() => void> {
    return new Promise((resolve, reject) => {
      if (this.refusal !== undefined) {
        reject(this.refusal)
        return
      }
      const { state, subscriptions } = this.#connections
      if (state.failsFast) {
        reject(this.#connections.unavailable())
        return
      }
      const unsubscribe = () => subscriptions.remove(channel, onMessage)
      const deadline = this.#subscribing.start(() => {
        unsubscribe()
        reject(this.#connections.unavailable())
      })
      subscriptions.add(channel, onMessage, (error) => {
        if (!this.#subscribing.end(deadline)) return
        if (error === undefined) {
          resolve(unsubscribe)
        } else {
          unsubscribe()
          reject(this.#connections.unavailable(error))
        }
      })
    })
  }

  /**
   * Resolves when all messages that were published to a channel before the call have been passed to its listeners. Does not wait
   * for messages that are lost because the subscription is down.
   */
  async received (channel: string): Promise<void> {
    await this.within(this.#connections.subscriptions.received(channel)).catch(() => {})
  }

  /** Calls the listener each time that commands and subscriptions begin to work. See `ConnectionState.onUp`. */
  onUp (listener: () => void): () => void { return this.#connections.state.onUp(listener) }

  /** Calls the listener each time that commands or subscriptions stop working. Returns an unsubscribe function. */
  onDown (listener: () => void): () => void { return this.#connections.state.onDown(listener) }

  /** Runs a check each time that commands and subscriptions begin to work, and logs what Redis rejects. */
  checkWhenUp (check: () => Promise<void>): void { this.#connections.checkWhenUp(check) }

  /** Settles as the promise does. Rejects with StoreUnavailable after the timeout of a command. */
  within<T> (promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const deadline = this.#deadlines.start(() => reject(this.#connections.unavailable()))
      promise.finally(() => this.#deadlines.end(deadline)).then(resolve, reject)
    })
  }

  /** Resolves with the `maxmemory` of all masters together, in bytes; 0 if a master has none. Rejects if it can't be read. */
  maxMemory (): Promise<number> { return maxMemoryOf(mastersOf(this.#commands)) }

  /**
   * Yields, in batches, the rooms that have a key of this name. A batch may be empty, and a room may be repeated.
   * Rejects if a master can't be read.
   */
  async * rooms (rest: string): AsyncGenerator<string[]> {
    const [start, end] = [`${this.#prefix}:{`, `}:${rest}`]
    for (const master of mastersOf(this.#commands)) {
      for await (const keys of keysOf(master, start, end)) yield keys.map((key) => key.slice(start.length, -end.length))
    }
  }

  /** Returns whether the same master holds both keys. */
  areTogether (a: string, b: string): boolean { return areTogether(this.#commands, a, b) }

  /** Closes the connections once the commands in flight have settled. Rejects those at once while Redis is down. */
  async close (): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#connections.stop()
    if (!isReady(this.#commands)) this.#deadlines.expireAll()
    this.#subscribing.expireAll()
    await Promise.all([this.#deadlines.over(), this.#subscribing.over()])
    this.#connections.close()
  }
}
