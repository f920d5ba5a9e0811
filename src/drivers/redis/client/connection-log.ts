import type { Cluster, Redis } from 'ioredis'
import { isCluster, isReady } from './connect.ts'
import { connectionFailure, isReply } from './reply-errors.ts'

/** What a driver uses of the app's logger. */
export interface Logger {
  info (fields: object, message: string): void
  error (fields: object, message: string): void
}

/**
 * Logs when Redis can't be reached, is lost, is back, or rejects what the drivers need: one line each, however many
 * connections are concerned. Shared by the drivers of one Redis.
 */
export class ConnectionLog {
  readonly #log: Logger
  readonly #down = new Set<Redis | Cluster>()
  /** Reasons logged since all connections last worked. */
  readonly #failures = new Set<string>()
  /** Reasons logged since Redis last accepted everything. */
  readonly #rejections = new Set<string>()
  #hasWorked = false

  constructor (log: Logger) {
    this.#log = log
  }

  /** Logs failures of a connection. Returns a function that ends it, which must be called before the connection is closed. */
  watch (connection: Redis | Cluster): () => void {
    let wasReady = isReady(connection)
    let cause: Error | undefined
    const onError = (error: Error) => {
      cause = connectionFailure(error)
      // The error of a connection that works is its end only if it closes.
      if (!wasReady) this.#fail(connection, cause)
    }
    // A Cluster works without some of its nodes, and may close without an error of its own.
    const onNodeError = (error: Error) => { cause = connectionFailure(error) }
    const onClose = () => {
      this.#down.add(connection)
      // Without an error, the next attempt to connect may show why Redis closed a connection that worked.
      if (cause !== undefined) this.#fail(connection, cause)
      else if (!wasReady) this.#fail(connection, new Error('the connection was closed before it was ready'))
      wasReady = false
      cause = undefined
    }
    const onReady = () => {
      if (!isReady(connection)) return
      wasReady = true
      cause = undefined
      this.#recover(connection)
    }
    connection.on('error', onError).on('node error', onNodeError).on('close', onClose).on('ready', onReady)
    return () => {
      connection.off('error', onError).off('node error', onNodeError).off('close', onClose).off('ready', onReady)
      this.#down.delete(connection)
    }
  }

  /** Called when Redis rejected what a driver needs. */
  rejected (connection: Redis | Cluster, reason: string): void {
    if (this.#rejections.has(reason)) return
    this.#rejections.add(reason)
    this.#log.error({ address: describe(connection), reason }, 'Redis rejects what the chat needs')
  }

  /** Called when Redis accepted everything that a driver needs. */
  accepted (): void { this.#rejections.clear() }

  #fail (connection: Redis | Cluster, { name, message }: Error): void {
    this.#down.add(connection)
    // A reply of Redis, such as a wrong password, explains more than the failures of the network before it.
    if (this.#failures.has(message) || (this.#failures.size > 0 && !isReply({ name }))) return
    this.#failures.add(message)
    this.#log.error({ address: describe(connection), reason: message },
      this.#hasWorked ? 'the connection to Redis was lost' : 'Redis is not available')
  }

  #recover (connection: Redis | Cluster): void {
    if (this.#down.has(connection) && this.#failures.size === 0) this.#fail(connection, new Error('the connection was closed'))
    this.#down.delete(connection)
    this.#hasWorked = true
    if (this.#down.size > 0 || this.#failures.size === 0) return
    this.#failures.clear()
    this.#log.info({ address: describe(connection) }, 'Redis is available again')
  }
}

/** Returns where a connection leads, without secrets. */
function describe (connection: Redis | Cluster): string {
  if (isCluster(connection)) {
    const { startupNodes } = connection as unknown as { startupNodes: ReadonlyArray<string | number | Address> }
    return startupNodes.map((node) => typeof node === 'object' ? hostAndPort(node) : String(node).replace(/^.*[@/](?=[^/]*)/s, '')).join(', ')
  }
  const { path, name, sentinels, ...address } = connection.options
  if (sentinels != null) return `${name} of the Sentinels ${sentinels.map((sentinel) => hostAndPort({ port: 26379, ...sentinel })).join(', ')}`
  return path ?? hostAndPort(address)
}

interface Address { readonly host?: string | undefined, readonly port?: number | undefined }

function hostAndPort ({ host = '127.0.0.1', port = 6379 }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
