import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyBaseLogger } from 'fastify'
import { WebSocket } from 'ws'
import { Inbox, type Message } from './inbox.ts'
import { CloseCode } from './protocol.ts'

export interface ConnectionOptions {
  readonly log: FastifyBaseLogger
  /** bytes that may wait for the client; beyond, it is cut off */
  readonly backlog: number
}

/** What `ws` closes with for its errors; all others are violations of the protocol. */
const violations: Record<string, number> = {
  WS_ERR_INVALID_UTF8: CloseCode.notText,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: CloseCode.policy,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: CloseCode.tooBig,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: CloseCode.tooBig
}

interface Traffic { messages: number, bytes: number }

/**
 * One upgraded socket. `ws` parses what comes, answers pings and closes; whole frames are written to the stream
 * beneath it, so that many connections can share one buffer.
 */
export class Connection {
  readonly log: FastifyBaseLogger
  readonly received: Traffic = { messages: 0, bytes: 0 }
  readonly sent: Traffic = { messages: 0, bytes: 0 }
  readonly #socket: WebSocket
  readonly #stream: Duplex
  readonly #backlog: number
  readonly #opened = performance.now()
  /** What had been read from the client when it was last asked for a sign of life. */
  #read: number | undefined
  /** Why this side ended the connection, where it did. */
  #ending: { code: number, reason: string } | undefined
  #inbox: Inbox | undefined

  constructor (socket: WebSocket, stream: Duplex, { log, backlog }: ConnectionOptions) {
    this.#socket = socket
    this.#stream = stream
    this.#backlog = backlog
    this.log = log
    // ws closes with these itself, and its close event tells only what the client answered.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code?.startsWith('WS_ERR_')) this.#ending ??= { code: violations[error.code] ?? CloseCode.protocol, reason: error.message }
    })
    // The other end of an injected stream is this process: its FIN would be waited for in vain.
    if (!(stream instanceof Socket)) stream.once('finish', () => setImmediate(() => stream.destroy()))
    socket.on('close', (code, reason) => this.#logEnd(this.#ending ?? { code, reason: reason.toString() }))
  }

  get open (): boolean { return this.#socket.readyState === WebSocket.OPEN }

  /**
   * Takes what comes from here on. A throw or a rejection ends this connection with 1011.
   * @param handle gets the messages one at a time, in order; the next is read when its promise has settled
   */
  receive (handle: (message: Message) => void | Promise<void>): void {
    const inbox = this.#inbox = new Inbox(this.#socket, handle, (error) => this.fail(error))
    this.#socket.on('message', (data: Buffer, isBinary) => {
      this.received.messages++
      this.received.bytes += data.length
      if (this.open) inbox.push({ data, isBinary })
    })
  }

  /** Keeps what comes, in order, until the promise settles. */
  hold (pending: Promise<void>): void {
    this.#inbox?.hold(pending)
  }

  onClose (listener: () => void): void {
    this.#socket.once('close', listener)
  }

  /**
   * Writes whole frames. A client that has left more than its backlog unread by now is cut off instead.
   * @returns false when it would be better to wait for `drained()`
   */
  write (frames: Buffer, messages: number): boolean {
    if (!this.open) return true
    if (this.#stream.writableLength > this.#backlog) {
      this.terminate(CloseCode.policy, 'reads too slowly')
      return true
    }
    this.sent.messages += messages
    this.sent.bytes += frames.length
    return this.#stream.write(frames)
  }

  /** Resolves when what was written has left, or never will. */
  drained (): Promise<void> {
    const stream = this.#stream
    if (stream.destroyed || stream.writableLength === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const done = () => {
        stream.off('drain', done)
        stream.off('close', done)
        resolve()
      }
      stream.on('drain', done)
      stream.on('close', done)
    })
  }

  /** Whether anything came since this was last asked, or could not come because the app has this side wait. */
  heard (): boolean {
    const before = this.#read
    this.#read = this.#stream instanceof Socket ? this.#stream.bytesRead : undefined
    const waiting = this.#socket.isPaused && this.#stream.writableLength === 0
    return this.#read === undefined || this.#read !== before || waiting
  }

  ping (): void {
    if (this.open) this.#socket.ping()
  }

  /** Starts the closing handshake; what was written before is sent before, and nothing is after. */
  close (code: number, reason: string): void {
    if (!this.open) return
    this.#ending = { code, reason }
    this.#socket.close(code, reason)
    this.#socket.resume()
  }

  /** For a fault of the app's code on this connection. */
  fail (error: unknown): void {
    this.log.error({ err: error }, 'the handler of a connection failed')
    this.close(CloseCode.internal, 'internal error')
  }

  /** Ends it at once, for a client that a closing handshake would have to wait for. */
  terminate (code: number, reason: string): void {
    this.#ending ??= { code, reason }
    this.#socket.terminate()
  }

  #logEnd ({ code, reason }: { code: number, reason: string }): void {
    this.log.info({
      code,
      reason,
      duration: Math.round(performance.now() - this.#opened),
      received: this.received,
      sent: this.sent
    }, 'websocket closed')
  }
}
