import { SUBPROTOCOL, type ClientMessage, type ServerMessage } from '../protocol.ts'
import { Heartbeat } from './heartbeat.ts'
import { readMessage } from './incoming.ts'
import type { ClientSocket, Connect } from './socket.ts'
import { LONGEST_TIMER, idleTimer } from './timer.ts'

const OPEN = 1
const CLOSED = 3

/** What is reported where no close code came: RFC 6455, section 7.1.5. */
export const ABNORMAL = 1006

/** ms that the other side is given to answer a close frame. */
const LINGER = 2_000

export interface LinkOptions {
  readonly url: string
  readonly connect: Connect
  /** What to say first; asked before the socket is opened, because the server waits for it only so long. */
  readonly hello: () => Promise<ClientMessage>
  /** ms until `ready` must have been called */
  readonly timeout: number
}

export interface LinkEvents {
  received (message: ServerMessage): void
  /** Once; nothing comes after it. */
  lost (code: number, reason: string): void
}

/** One socket, from the wish for it to its end. */
export class Link {
  readonly #events: LinkEvents
  readonly #deadline: ReturnType<typeof setTimeout>
  #socket: ClientSocket | undefined
  #heartbeat: Heartbeat | undefined
  #error = ''
  #ended = false

  constructor (options: LinkOptions, events: LinkEvents) {
    this.#events = events
    const timedOut = () => this.#break(`no connection within ${options.timeout} ms`)
    this.#deadline = setTimeout(timedOut, Math.min(options.timeout, LONGEST_TIMER))
    this.#open(options).catch((error: unknown) => this.#break(String(error)))
  }

  /** Gives whether it was sent; that it arrived, nobody can tell. */
  send (message: ClientMessage | string): boolean {
    if (this.#ended || this.#socket?.readyState !== OPEN) return false
    try {
      this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message))
      return true
    } catch (error) {
      // Not now: whoever sends is in the middle of something.
      queueMicrotask(() => this.#break(String(error)))
      return false
    }
  }

  /** The server has let it in: from now on it is asked for a sign of life. @param interval in ms */
  ready (interval: number): void {
    clearTimeout(this.#deadline)
    const ping = () => { this.send({ type: 'ping', id: 'heartbeat' }) }
    this.#heartbeat ??= new Heartbeat(interval, ping, () => this.#break('the server does not answer'))
  }

  /** Detaches: whatever the socket still says, nobody hears it. `lost` is not called. */
  close (): void {
    if (this.#detach()) discard(this.#socket)
  }

  async #open ({ url, connect, hello: greet }: LinkOptions): Promise<void> {
    // Whoever made this link has it before anything is asked of the app.
    await undefined
    if (this.#ended) return
    const hello = await greet()
    if (this.#ended) return
    const socket = await connect(url, SUBPROTOCOL)
    let opened = socket.readyState === OPEN
    // Without a listener, what goes wrong with an abandoned socket of `ws` would be an uncaught error.
    socket.addEventListener('error', ({ message }) => {
      if (typeof message === 'string') this.#error = message
      // Node 22's own brings no close after a failed handshake. Whatever does, brings it before this.
      setTimeout(() => { if (!opened) this.#break(this.#error || 'the handshake failed') })
    })
    if (this.#ended) return discard(socket)
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => this.#receive(data))
    socket.addEventListener('close', ({ code, reason }) => this.#lose(code, reason || this.#error))
    if (opened) this.#greet(hello, socket.protocol || SUBPROTOCOL)
    else if (socket.readyState === CLOSED) this.#lose(ABNORMAL, 'the socket was closed already')
    else {
      socket.addEventListener('open', () => {
        opened = true
        this.#greet(hello, socket.protocol ?? SUBPROTOCOL)
      })
    }
  }

  /** To a plain connection the session and the token would be a message, for everybody in its room. */
  #greet (hello: ClientMessage, protocol: string): void {
    if (protocol === SUBPROTOCOL) this.send(hello)
    else this.#break(`the server did not select ${SUBPROTOCOL}`)
  }

  #receive (data: unknown): void {
    if (this.#ended) return
    this.#heartbeat?.heard()
    try {
      const message = readMessage(data)
      if (message !== undefined) this.#events.received(message)
    } catch (error) {
      this.#break(String(error))
    }
  }

  /** The other side can't be talked to: it isn't waited for. */
  #break (reason: string): void {
    if (!this.#detach()) return
    if (this.#socket !== undefined && !cut(this.#socket)) discard(this.#socket)
    this.#events.lost(ABNORMAL, reason)
  }

  #lose (code: number, reason: string): void {
    if (this.#detach()) this.#events.lost(code, reason)
  }

  #detach (): boolean {
    if (this.#ended) return false
    this.#ended = true
    clearTimeout(this.#deadline)
    this.#heartbeat?.stop()
    return true
  }
}

/** Closes politely; what doesn't answer is cut off, so that it keeps no process alive. */
function discard (socket: ClientSocket | undefined): void {
  if (socket === undefined || socket.readyState === CLOSED) return
  const timer = idleTimer(() => cut(socket), LINGER)
  socket.addEventListener('close', () => clearTimeout(timer))
  try {
    socket.close(1000)
  } catch {
    // It is cut off, later.
  }
}

/** Gives whether it could. */
function cut (socket: ClientSocket): boolean {
  if (socket.terminate === undefined) return false
  try {
    socket.terminate()
    return true
  } catch {
    return false
  }
}
