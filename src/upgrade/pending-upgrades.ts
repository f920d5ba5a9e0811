import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyError } from '@fastify/error'
import { HandshakeTimeout, Stopping } from '../errors.ts'
import { refusalOf } from './http-refusal.ts'
import type { RefusalLog } from '../refusal-log.ts'

/** ms a client is given to close its side of an upgrade that was answered by HTTP. */
const LINGER = 1_000

export interface UpgradesOptions {
  /** ms after which an upgrade that nobody took is ended */
  readonly timeout: number
  readonly refusals: RefusalLog
}

interface Pending {
  readonly socket: Duplex
  readonly written: number
  readonly deadline: NodeJS.Timeout
  gone (): void
  /** Called when it ends otherwise than as a connection. */
  abandoned?: () => void
}

const byServer = new WeakMap<EventEmitter, Upgrades>()

/**
 * The upgrades of one HTTP server that have not become a connection yet. Node hands their sockets over and forgets them:
 * an answer by HTTP leaves such a socket open for good, and the server with it. Here every one of them ends.
 */
export class Upgrades {
  readonly #pending = new Map<IncomingMessage, Pending>()
  readonly #options: UpgradesOptions
  #closing = false

  private constructor (options: UpgradesOptions) {
    this.#options = options
  }

  /** The one of this server, made when first asked for: the first caller's options hold. */
  static of (server: EventEmitter, options: UpgradesOptions): Upgrades {
    let upgrades = byServer.get(server)
    if (upgrades === undefined) {
      upgrades = new Upgrades(options)
      byServer.set(server, upgrades)
      upgrades.watch(server)
    }
    return upgrades
  }

  /** Takes in the upgrades of an emitter, before whoever else listens to it. */
  watch (emitter: EventEmitter): void {
    emitter.prependListener('upgrade', (request: IncomingMessage, socket: Duplex) => this.#begin(request, socket))
  }

  /** The stream of an upgrade that is under way: a TCP or TLS socket, or the injected stream of a test. */
  socketOf (request: IncomingMessage): Duplex | undefined {
    return this.#pending.get(request)?.socket
  }

  /** Calls back once if it ends without having been settled. */
  onAbandoned (request: IncomingMessage, abandoned: () => void): void {
    this.#pending.get(request)!.abandoned = abandoned
  }

  /** It became a connection: whoever has it ends it, and listens for its errors. */
  settle (request: IncomingMessage): void {
    this.#forget(request)?.socket.off('error', destroy)
  }

  /** It was answered by HTTP: nothing more comes on it. */
  answered (request: IncomingMessage): void {
    const pending = this.#abandon(request)
    if (pending !== undefined && !taken(pending.socket)) end(pending.socket)
  }

  /** Ends all that are under way, and refuses those to come. */
  close (): void {
    this.#closing = true
    for (const request of this.#pending.keys()) this.#giveUp(request, new Stopping())
  }

  #begin (request: IncomingMessage, socket: Duplex): void {
    // Node takes its own error listener off before it emits `upgrade`; a reset now would be an uncaught exception.
    socket.on('error', destroy)
    if (this.#closing) return this.#refuse(socket, new Stopping())
    const deadline = setTimeout(() => this.#giveUp(request, new HandshakeTimeout()), this.#options.timeout).unref()
    const written = (socket as Duplex & { bytesWritten?: number }).bytesWritten ?? 0
    const gone = () => this.#abandon(request)
    this.#pending.set(request, { socket, written, deadline, gone })
    socket.once('close', gone)
  }

  #forget (request: IncomingMessage): Pending | undefined {
    const pending = this.#pending.get(request)
    if (pending === undefined) return undefined
    this.#pending.delete(request)
    clearTimeout(pending.deadline)
    // It would keep the request as long as the socket.
    pending.socket.off('close', pending.gone)
    return pending
  }

  #abandon (request: IncomingMessage): Pending | undefined {
    const pending = this.#forget(request)
    pending?.abandoned?.()
    return pending
  }

  #giveUp (request: IncomingMessage, why: FastifyError): void {
    const { socket, written } = this.#abandon(request)!
    if (taken(socket)) return
    const untouched = ((socket as Duplex & { bytesWritten?: number }).bytesWritten ?? 0) === written
    if (untouched) this.#refuse(socket, why)
    else end(socket)
  }

  #refuse (socket: Duplex, why: FastifyError): void {
    const { status, headers, body } = refusalOf(why)
    this.#options.refusals.refused(why.code, why.message)
    const json = JSON.stringify(body)
    const all = { ...headers, Connection: 'close', 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': json.length }
    const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('')
    socket.write(`HTTP/1.1 ${status} ${body.error}\r\n${head}\r\n${json}`)
    end(socket)
  }
}

function destroy (this: Duplex): void { this.destroy() }

/** Whoever upgraded a socket reads it. */
function taken (socket: Duplex): boolean {
  return socket.listenerCount('data') > 0 || socket.listenerCount('readable') > 0
}

/** What the client has sent is read and dropped: closing with it unread would reset the connection before the answer is there. */
function end (socket: Duplex): void {
  const deadline = setTimeout(() => socket.destroy(), LINGER)
  socket.once('close', () => clearTimeout(deadline))
  socket.resume()
  socket.end()
}
