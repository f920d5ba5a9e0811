import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** ms a client is given to close its side of an upgrade that was answered by HTTP. */
const LINGER = 1_000

/** s after which a client that came while the server was stopping may ask again. */
const RETRY_AFTER = 5

interface Pending {
  readonly socket: Duplex
  readonly written: number
  readonly deadline: NodeJS.Timeout
  gone (): void
}

const byServer = new WeakMap<EventEmitter, Upgrades>()

/**
 * The upgrades of one HTTP server that have not become a connection yet. Node hands their sockets over and forgets them:
 * an answer by HTTP leaves such a socket open for good, and the server with it. Here every one of them ends.
 */
export class Upgrades {
  readonly #pending = new Map<IncomingMessage, Pending>()
  readonly #timeout: number
  #closing = false

  private constructor (timeout: number) {
    this.#timeout = timeout
  }

  /**
   * The one of this server, made when first asked for.
   * @param timeout ms after which an upgrade that nobody took is ended; the first caller's holds
   */
  static of (server: EventEmitter, timeout: number): Upgrades {
    let upgrades = byServer.get(server)
    if (upgrades === undefined) {
      upgrades = new Upgrades(timeout)
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

  /** It became a connection: whoever has it ends it, and listens for its errors. */
  settle (request: IncomingMessage): void {
    this.#forget(request)?.socket.off('error', destroy)
  }

  /** It was answered by HTTP: nothing more comes on it. */
  answered (request: IncomingMessage): void {
    const pending = this.#forget(request)
    if (pending !== undefined && !taken(pending.socket)) end(pending.socket)
  }

  /** Ends all that are under way, and refuses those to come. */
  close (): void {
    this.#closing = true
    for (const request of this.#pending.keys()) this.#giveUp(request)
  }

  #begin (request: IncomingMessage, socket: Duplex): void {
    // Node takes its own error listener off before it emits `upgrade`; a reset now would be an uncaught exception.
    socket.on('error', destroy)
    if (this.#closing) {
      refuse(socket)
      return
    }
    const deadline = setTimeout(() => this.#giveUp(request), this.#timeout).unref()
    const written = (socket as Duplex & { bytesWritten?: number }).bytesWritten ?? 0
    const gone = () => this.#forget(request)
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

  #giveUp (request: IncomingMessage): void {
    const { socket, written } = this.#forget(request)!
    if (taken(socket)) return
    const untouched = ((socket as Duplex & { bytesWritten?: number }).bytesWritten ?? 0) === written
    if (untouched) refuse(socket)
    else end(socket)
  }
}

function destroy (this: Duplex): void { this.destroy() }

/** Whoever upgraded a socket reads it. */
function taken (socket: Duplex): boolean {
  return socket.listenerCount('data') > 0 || socket.listenerCount('readable') > 0
}

function refuse (socket: Duplex): void {
  socket.write(`HTTP/1.1 503 Service Unavailable\r\nRetry-After: ${RETRY_AFTER}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  end(socket)
}

/** What the client has sent is read and dropped: closing with it unread would reset the connection before the answer is there. */
function end (socket: Duplex): void {
  const deadline = setTimeout(() => socket.destroy(), LINGER)
  socket.once('close', () => clearTimeout(deadline))
  socket.resume()
  socket.end()
}
