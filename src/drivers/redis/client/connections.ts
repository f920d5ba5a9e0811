import type { Cluster, Redis } from 'ioredis'
import { StoreDenied, StoreUnavailable } from '../../../errors.ts'
import { connect, isCluster, isReady } from './connect.ts'
import type { ConnectionLog } from './connection-log.ts'
import { ConnectionState } from './connection-state.ts'
import { mastersOf } from './masters.ts'
import type { ConnectionOptions } from './options.ts'
import { connectionFailure, isDenied, rejectionOf } from './reply-errors.ts'
import { ShardedSubscriptions } from './sharded-subscriptions.ts'
import { Subscriptions } from './subscriptions.ts'

/** The connections of one client: that of the commands, and those of the subscriptions. */
export class Connections {
  readonly commands: Redis | Cluster
  readonly subscriptions: Subscriptions | ShardedSubscriptions
  readonly state: ConnectionState
  readonly #ping: NodeJS.Timeout
  readonly #log: ConnectionLog | undefined
  readonly #endLog: (() => void) | undefined
  /** Why commands or subscriptions don't work; undefined while they do, or if it isn't known. */
  #failure: Error | undefined

  /**
   * @param timeout in ms
   * @param onReady called each time that commands can be sent, before the listeners of `state`
   */
  constructor (target: Pick<ConnectionOptions, 'client' | 'url'>, timeout: number, log: ConnectionLog | undefined, onReady: () => void) {
    this.#log = log
    const state = this.state = new ConnectionState(timeout)
    state.onUp(() => { this.#failure = undefined })
    const commands = this.commands = connect(target, timeout)
    const fail = (error: Error) => { this.#failure = connectionFailure(error) }
    commands.on('error', fail)
    this.#endLog = log?.watch(commands)
    const update = () => state.update(isReady(commands), this.subscriptions.live)
    const events = {
      live: update,
      down: update,
      moved: () => {},
      refused: (redis: Redis, error: Error) => {
        this.#failure = error
        if (isDenied(error)) log?.rejected(redis, new StoreDenied(error.message).message)
      },
      connected: (redis: Redis) => {
        redis.on('error', fail)
        return log?.watch(redis) ?? (() => {})
      }
    }
    this.subscriptions = isCluster(commands)
      ? new ShardedSubscriptions(commands, timeout, events)
      : new Subscriptions(connect(target, timeout) as Redis, false, events)
    commands.on('ready', () => {
      onReady()
      update()
    })
    commands.on('close', update)
    // A ping makes an idle connection that went silent run into `socketTimeout`.
    this.#ping = setInterval(() => {
      for (const redis of [...mastersOf(commands), ...this.subscriptions.connections()]) {
        if (isReady(redis)) redis.ping().catch(() => {})
      }
    }, timeout).unref()
  }

  /** Whether commands and subscriptions work now. */
  get areUp (): boolean { return isReady(this.commands) && this.subscriptions.live }

  /** Returns the error of a call that certainly had no effect. */
  unavailable (cause = this.#failure): Error {
    return Object.assign(new StoreUnavailable(), cause !== undefined && { cause })
  }

  /** Runs a check each time that commands and subscriptions begin to work, and logs what Redis rejects. */
  checkWhenUp (check: () => Promise<void>): void {
    const log = this.#log
    if (log === undefined) return
    this.state.onUp(() => {
      check().then(() => log.accepted(), (error: Error) => {
        const reason = rejectionOf(error, isCluster(this.commands))
        if (reason !== undefined) log.rejected(this.commands, reason)
      })
    })
  }

  /** Stops the pings and the listeners of `state`. Commands in flight can still be answered. */
  stop (): void {
    clearInterval(this.#ping)
    this.state.close()
  }

  close (): void {
    this.subscriptions.close()
    this.#endLog?.()
    this.commands.disconnect()
  }
}
