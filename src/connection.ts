import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyBaseLogger } from 'fastify'
import { WebSocket } from 'ws'
import { closeCodeOf, shorten } from './closing.ts'
import { Inbox, type Message } from './inbox.ts'
import { CloseCode } from './protocol.ts'
import type { ReplyBudget } from './reply-budget.ts'
import { currentTurn } from './turn.ts'

export interface ConnectionOptions {
  readonly log: FastifyBaseLogger
  /** bytes that may wait for the client; beyond, it is cut off */
  readonly backlog: number
  /** shared by all connections */
  readonly budget: ReplyBudget
}

const NOTHING = Buffer.alloc(0)

/** Bytes that may wait before whoever asks for more is better read no further. */
const HIGH_WATER = 64 * 1024

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
  readonly #budget: ReplyBudget
  /** Whether the stream holds what is answered in this read, ws's own frames among it, until all of it has been. */
  #corked = false
  readonly #opened = performance.now()
  /** The last turn of the event loop in which something was written. */
  #turn = -1
  /** What had been read from the client when it was last asked for a sign of life. */
  #read: number | undefined
  /** Why this side ended the connection, where it did. */
  #ending: { code: number, reason: string } | undefined
  #inbox: Inbox | undefined
  /** Its own, for `once` of an emitter keeps three objects for each. */
  readonly #closed: Array<() => void> = []

  constructor (socket: WebSocket, stream: Duplex, { log, backlog, budget }: ConnectionOptions) {
    this.#socket = socket
    this.#stream = stream
    this.#backlog = backlog
    this.#budget = budget
    this.log = log
    // ws closes with these itself, and its close event tells only what the client answered.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const code = closeCodeOf(error)
      if (code !== undefined) this.#ending ??= { code, reason: error.message }
    })
    // The other end of an injected stream is this process: its FIN would be waited for in vain.
    if (!(stream instanceof Socket)) stream.once('finish', () => setImmediate(() => stream.destroy()))
    socket.on('close', (code, reason) => {
      this.#logEnd(this.#ending ?? { code, reason: reason.toString() })
      for (const listener of this.#closed) listener()
    })
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

  onClose (listener: () => void): void { this.#closed.push(listener) }

  /** Logs a message of the client's, where the level asks for it. */
  logReceived ({ data, isBinary }: Message, room?: string): void {
    if ((this.log as { isLevelEnabled?: (level: string) => boolean }).isLevelEnabled?.('debug') === false) return
    const content = isBinary ? { bytes: data.length } : { text: data.toString() }
    this.log.debug(room === undefined ? content : { room, ...content }, 'received')
  }

  /**
   * Writes whole frames. A client that has left more than its backlog unread by the end of the last turn is cut off
   * instead: right after a write a healthy one shows megabytes, a turn later nothing.
   * @param acks to this client alone, in the same write
   */
  write (frames: Buffer, messages: number, acks?: Buffer): void {
    if (!this.#mayWrite()) return
    this.sent.messages += messages
    this.sent.bytes += frames.length
    if (acks === undefined) {
      this.#stream.write(frames)
      return
    }
    this.#stream.cork()
    this.#stream.write(frames)
    this.#writeOwn(acks)
    this.#stream.uncork()
  }

  /** Writes whole frames that are this client's alone: a replay of what it missed. */
  replay (frames: Buffer, messages: number): void {
    if (frames.length === 0 || !this.#mayWrite()) return
    this.sent.messages += messages
    this.#writeOwn(frames)
  }

  /**
   * Answers with a frame, in one write with all else that is answered in this read.
   * @returns false when it would be better to wait for `drained()` before more is answered
   */
  reply (frame: Buffer): boolean {
    if (!this.#mayWrite()) return true
    if (!this.#corked) {
      this.#corked = true
      this.#stream.cork()
      process.nextTick(() => {
        this.#corked = false
        this.#stream.uncork()
      })
    }
    this.sent.messages++
    this.#writeOwn(frame)
    return this.#stream.writableLength < HIGH_WATER
  }

  #writeOwn (bytes: Buffer): void {
    if (!this.#budget.take(bytes.length)) {
      this.terminate(CloseCode.tryAgainLater, 'too much waits to be read')
      return
    }
    this.sent.bytes += bytes.length
    this.#stream.write(bytes, () => this.#budget.giveBack(bytes.length))
  }

  #mayWrite (): boolean {
    if (!this.open) return false
    if (this.#turn !== currentTurn()) {
      this.#turn = currentTurn()
      if (this.#stream.writableLength > this.#backlog) {
        this.terminate(CloseCode.policy, 'reads too slowly')
        return false
      }
    }
    return true
  }

  /** Resolves when what was written has left, or never will. */
  drained (): Promise<void> {
    const stream = this.#stream
    if (!this.open || stream.destroyed || stream.writableLength === 0) return Promise.resolve()
    return new Promise((resolve) => { stream.write(NOTHING, () => resolve()) })
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
    this.#inbox?.stop()
    this.#socket.close(code, shorten(reason))
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
