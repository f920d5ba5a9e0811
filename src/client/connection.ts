import { SUBPROTOCOL, type ClientMessage, type ServerMessage } from '../protocol.ts'
import { NO_CHAT } from './handshake-refusal.ts'
import { Heartbeat } from './heartbeat.ts'
import { parseMessage } from './server-message.ts'
import type { ClientSocket, Connect } from './socket.ts'
import { LONGEST_TIMER, idleTimer } from './timer.ts'

const OPEN = 1
const CLOSED = 3

/** Reported when no close code was received. RFC 6455, section 7.1.5. */
export const ABNORMAL = 1006

/** Normal closure. Sent when this client is closed permanently. RFC 6455, section 7.4.1. */
export const NORMAL = 1000

/** Reported when the close frame had no code. RFC 6455, section 7.1.5. */
export const NO_CODE = 1005

/** ms to wait for the answer to a close frame. */
const CLOSE_TIMEOUT = 2_000

export interface ConnectionOptions {
  readonly url: string
  readonly connect: Connect
  /** Returns the first message. Called before the socket is opened, because the server limits the wait for `hello`. */
  readonly hello: () => Promise<ClientMessage>
  /** ms within which `onWelcome` must be called */
  readonly timeout: number
  /** Resolves with the reason of a failed handshake for which the socket reported none; '' if it isn't known. */
  readonly probe: () => Promise<string>
}

export interface ConnectionEvents {
  onMessage (message: ServerMessage): void
  /** Called once, after the last `onMessage`. */
  onClose (code: number, reason: string): void
}

/** One connection attempt, and the socket that it opens. */
export class Connection {
  readonly #events: ConnectionEvents
  readonly #deadline: ReturnType<typeof setTimeout>
  #socket: ClientSocket | undefined
  #heartbeat: Heartbeat | undefined
  #error = ''
  #ended = false

  constructor (options: ConnectionOptions, events: ConnectionEvents) {
    this.#events = events
    const onTimeout = () => this.#fail(`no welcome within ${options.timeout} ms`)
    this.#deadline = setTimeout(onTimeout, Math.min(options.timeout, LONGEST_TIMER))
    this.#open(options).catch((error: unknown) => this.#fail(String(error)))
  }

  /** Returns whether the message was passed to the socket. It may still be lost. */
  send (message: ClientMessage | string): boolean {
    if (this.#ended || this.#socket?.readyState !== OPEN) return false
    try {
      this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message))
      return true
    } catch (error) {
      // Deferred, so that `onClose` isn't called within `send`.
      queueMicrotask(() => this.#fail(String(error)))
      return false
    }
  }

  /** Clears the deadline and starts the heartbeat. @param interval in ms */
  onWelcome (interval: number): void {
    clearTimeout(this.#deadline)
    const ping = (id: string) => { this.send({ type: 'ping', id }) }
    this.#heartbeat ??= new Heartbeat(interval, ping, () => this.#fail('no answer to a ping'))
  }

  /** Pings the server, like `Heartbeat.ping()`. Returns undefined before the welcome. */
  ping (): Promise<number | undefined> | undefined { return this.#heartbeat?.ping() }

  /** Closes the socket and ignores its further events. `onClose` is not called. */
  close (): void {
    if (this.#detach()) discard(this.#socket)
  }

  async #open ({ url, connect, hello: getHello, probe }: ConnectionOptions): Promise<void> {
    // The owner stores this connection before the app's code runs.
    await undefined
    if (this.#ended) return
    const hello = await getHello()
    if (this.#ended) return
    const socket = await connect(url, SUBPROTOCOL)
    let pending = socket.readyState !== OPEN
    const refuse = async (code = ABNORMAL, given = '') => {
      if (!pending) return
      pending = false
      // Only sockets of `ws` have `terminate`. Their errors contain the reason if it is known.
      this.#fail(given || this.#error || (socket.terminate === undefined && await probe()) || 'the handshake failed', code)
    }
    // Without a listener, an error on an abandoned `ws` socket would be uncaught.
    socket.addEventListener('error', ({ message }) => {
      // Later errors are consequences of the first one.
      if (typeof message === 'string') this.#error ||= message
      // The WebSocket of Node 22 emits no `close` after a failed handshake. Others emit `close` before this timer fires.
      setTimeout(refuse)
    })
    if (this.#ended) return discard(socket)
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => this.#receive(data))
    socket.addEventListener('close', ({ code, reason }) => {
      if (pending) void refuse(code, reason)
      else if (code === NO_CODE && this.#heartbeat === undefined) this.#fail(NO_CHAT, code)
      else this.#fail(reason || this.#error, code)
    })
    if (!pending) this.#sendHello(hello, socket.protocol || SUBPROTOCOL)
    else if (socket.readyState === CLOSED) this.#fail('connect returned a closed socket')
    else {
      socket.addEventListener('open', () => {
        pending = false
        this.#sendHello(hello, socket.protocol ?? SUBPROTOCOL)
      })
    }
  }

  /** Sends `hello`. Fails on a plain connection, where `hello` would publish the session and the token to the room. */
  #sendHello (hello: ClientMessage, protocol: string): void {
    if (protocol === SUBPROTOCOL) this.send(hello)
    else this.#fail(`the server did not select the subprotocol ${SUBPROTOCOL}`)
  }

  #receive (data: unknown): void {
    if (this.#ended) return
    try {
      const message = parseMessage(data)
      this.#heartbeat?.onMessage(message)
      if (message !== undefined) this.#events.onMessage(message)
    } catch (error) {
      this.#fail(String(error))
    }
  }

  /** Ends the connection without waiting for the server. */
  #fail (reason: string, code = ABNORMAL): void {
    if (!this.#detach()) return
    if (this.#socket !== undefined && !terminate(this.#socket)) discard(this.#socket)
    this.#events.onClose(code, reason)
  }

  #detach (): boolean {
    if (this.#ended) return false
    this.#ended = true
    clearTimeout(this.#deadline)
    this.#heartbeat?.stop()
    return true
  }
}

/** Closes the socket. Terminates it if the server doesn't answer, so that it doesn't keep the process alive. */
function discard (socket: ClientSocket | undefined): void {
  if (socket === undefined || socket.readyState === CLOSED) return
  const timer = idleTimer(() => terminate(socket), CLOSE_TIMEOUT)
  socket.addEventListener('close', () => clearTimeout(timer))
  try {
    socket.close(NORMAL)
  } catch {
    // The timer terminates it.
  }
}

/** Terminates the socket if it can. Returns whether it was terminated. */
function terminate (socket: ClientSocket): boolean {
  if (socket.terminate === undefined) return false
  try {
    socket.terminate()
    return true
  } catch {
    return false
  }
}
