import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { WebSocket } from 'ws'
import { closeCodeOf, cutOffFor, shorten, type CloseReason } from './close-reason.ts'
import { diagnostics } from '../observability/diagnostics.ts'
import { legible } from '../observability/printable.ts'
import type { Address } from './address.ts'
import { FrameGuard, type FrameLimits, type Guarded } from './frame-guard.ts'
import { ReceiveQueue, type Message } from './receive-queue.ts'
import { CloseCode } from '../protocol.ts'
import { startReading, stopReading } from './reading.ts'
import { Received, costOf } from './received.ts'
import type { RefusalLog } from '../observability/refusal-log.ts'
import type { Debtor, ByteBudget } from './byte-budget.ts'
import { TokenBucket, type Rate } from './token-bucket.ts'
import { currentTick, uncorkAtEndOfTick } from './tick.ts'

/** What the connections of one route share. */
export interface ConnectionContext {
  /** What tells its chat from others: the prefix. */
  readonly chat: string
  /** of the route */
  readonly path: string
  readonly connections: { add (connection: Connection): void, delete (connection: Connection): void }
  /** bytes that may wait for a client; beyond, it is cut off */
  readonly backlog: number
  readonly budget: ByteBudget
  readonly receiveBudget: ByteBudget
  /** messages that may wait for one before them; beyond, it is closed */
  readonly inbox: number
  readonly frames: FrameLimits
  /** bytes; replays that go faster wait */
  readonly replays: Rate
  readonly refusals: RefusalLog
}

/** Who speaks on a connection. */
export interface MessageHandler {
  /**
   * Gets the messages one at a time, in order; the next when the promise has settled. A throw or a rejection ends the
   * connection with 1011.
   */
  receive (message: Message): void | Promise<void>
  /** The server is about to close it. @param reconnectIn ms after which the client should come back */
  drain? (reconnectIn: number): void
  /** The connection is closed. */
  ended? (): void
}

const NOTHING = Buffer.alloc(0)

/** Bytes that may wait before whoever asks for more is better read no further. */
const HIGH_WATER = 64 * 1024

/** Bytes that are read from a socket at once, and more: what waits is a part of that. */
const READ = 128 * 1024

/** bytes */
const SMALL_REPLAY = 16 * 1024

const connection = Symbol('connection')

type Connected = WebSocket & { [connection]: Connection }

/** So that thousands of sockets can share their listeners. */
function connectionOf (socket: WebSocket): Connection {
  return (socket as Connected)[connection]
}

/**
 * One upgraded socket. `ws` parses what comes, answers pings and closes; whole frames are written to the stream
 * beneath it, so that many connections can share one buffer.
 */
export class Connection implements Debtor, Guarded {
  readonly log: FastifyBaseLogger
  readonly address: Address
  readonly #socket: WebSocket
  readonly #stream: Duplex
  readonly #context: ConnectionContext
  #session: MessageHandler | undefined
  /** There once something was charged, which for most connections is never. */
  #received: Received | undefined
  /** Bytes charged for the message that is being handled. */
  #handling = 0
  /** There while a session is waiting. */
  #inbox: ReceiveQueue | undefined
  readonly #guard: FrameGuard
  #replays: TokenBucket | undefined
  readonly #opened = Math.round(performance.now())
  #messagesReceived = 0
  #bytesReceived = 0
  #messagesSent = 0
  #bytesSent = 0
  /** Whether the stream holds what is written in this turn, ws's own frames among it, until the end of it. */
  #corked = false
  #owed = 0
  /** Buffers that it shares with others and that wait for it, in order; there once one did. */
  #shared: Buffer[] | undefined
  /** The last turn of the event loop in which something was written. */
  #turn = -1
  /** What had been read from the client when it was last asked for a sign of life. */
  #read: number | undefined
  /** Why this side ended the connection, where it did. */
  #ending: CloseReason | undefined

  constructor (socket: WebSocket, stream: Duplex, { log, address }: Pick<Connection, 'log' | 'address'>, context: ConnectionContext) {
    this.#socket = socket
    this.#stream = stream
    this.#context = context
    this.log = log
    this.address = address
    this.#guard = new FrameGuard(stream, this, context.frames)
    ;(socket as Connected)[connection] = this
    socket.on('message', Connection.#onMessage)
    socket.on('error', Connection.#onError)
    socket.on('close', Connection.#onClose)
    // The other end of an injected stream is this process: its FIN would be waited for in vain.
    if (!(stream instanceof Socket)) stream.once('finish', () => setImmediate(() => stream.destroy()))
    context.connections.add(this)
    if (diagnostics.opened.hasSubscribers) {
      const { chat, path } = context
      diagnostics.opened.publish({ chat, path, connection: this, address: address.name, protocol: socket.protocol })
    }
  }

  static readonly #onMessage = function (this: WebSocket, data: Buffer, isBinary: boolean): void {
    connectionOf(this).#receive({ data, isBinary })
  }

  /** ws closes with these itself, and its close event tells only what the client answered. */
  static readonly #onError = function (this: WebSocket, error: NodeJS.ErrnoException): void {
    const code = closeCodeOf(error)
    if (code !== undefined) connectionOf(this).#ending ??= { code, reason: error.message }
  }

  static readonly #onClose = function (this: WebSocket, code: number, reason: Buffer): void {
    connectionOf(this).#end({ code, reason: reason.toString() })
  }

  get open (): boolean { return this.#socket.readyState === WebSocket.OPEN }

  /** What came from this client and is not handled yet. */
  get received (): Received {
    this.#received ??= new Received(this.#context.receiveBudget, () => {
      this.terminate(CloseCode.tryAgainLater, 'too much waits to be handled', { fault: 'receive_budget' })
    })
    return this.#received
  }

  /** Bytes of it. */
  get receiving (): number { return this.#received?.owed ?? 0 }

  get held (): boolean { return this.#socket.isPaused }

  /** Bytes that wait for this client. */
  get backlog (): number { return this.#stream.writableLength }

  /** Bytes for which it is cut off where all that wait are too many. */
  get owed (): number { return this.#stream.destroyed ? 0 : Math.max(this.#owed, this.backlog) }

  /** Hands over what comes from here on. */
  serve (session: MessageHandler): void { this.#session = session }

  /** Keeps what comes, in order, until the promise settles. */
  hold (pending: Promise<void>): void {
    this.#inbox ??= new ReceiveQueue({
      pause: () => {
        this.#socket.pause()
        // Node reads on in a tick of its own once it has given what it read.
        queueMicrotask(() => { if (this.held && this.open) stopReading(this.#stream) })
      },
      resume: () => {
        this.#inbox = undefined
        this.#handled()
        if (!this.held) return
        startReading(this.#stream)
        this.#socket.resume()
      },
      handle: (message) => {
        this.#handled()
        this.#handling = costOf(message.data)
        this.received.charge(this.#handling)
        return this.#session!.receive(message)
      },
      kept: (bytes) => this.received.charge(bytes),
      fail: (error) => this.fail(error)
    }, pending)
  }

  /** Logs a message of the client's, where the level asks for it. */
  logReceived ({ data, isBinary }: Message, room?: string): void {
    const log = this.log as { readonly level?: string, isLevelEnabled? (level: string): boolean }
    // Fastify's logger of an app without one has no level.
    if (log.level === undefined || log.isLevelEnabled?.('debug') === false) return
    const content = isBinary ? { bytes: data.length } : { text: data.toString() }
    this.log.debug(room === undefined ? content : { room, ...content }, 'received')
  }

  /**
   * Writes whole frames. A client that has left more than its backlog unread by the end of the last turn is cut off
   * instead: right after a write a healthy one shows megabytes, a turn later nothing.
   * @param acks to this client alone, in the same write
   * @returns whether it was written
   */
  write (frames: Buffer, messages: number, acks?: Buffer): boolean {
    if (!this.#mayWrite()) return false
    this.#messagesSent += messages
    this.#bytesSent += frames.length
    if (acks === undefined) {
      this.#stream.write(frames)
    } else {
      this.#stream.cork()
      this.#stream.write(frames)
      this.#writeOwn(acks)
      this.#stream.uncork()
    }
    // What the system took at once, as it does for all who read, waits for nobody.
    if (this.#stream.writableLength > 0) this.#share(frames)
    return true
  }

  /** Writes whole frames that are this client's alone: a replay of what it missed. @returns whether they were written */
  replay (frames: Buffer, messages: number): boolean {
    if (frames.length === 0 || !this.#mayWrite()) return false
    this.#messagesSent += messages
    // How often small ones come is bounded by how often a client may ask.
    if (frames.length > SMALL_REPLAY) (this.#replays ??= new TokenBucket(this.#context.replays)).spend(frames.length)
    this.#writeOwn(frames)
    return true
  }

  /**
   * Answers with a frame, in one write with all else that it is sent in this turn.
   * @returns false when it would be better to wait for `drained()` before more is answered
   */
  reply (frame: Buffer): boolean {
    if (!this.#mayWrite()) return true
    if (!this.#corked) {
      this.#corked = true
      this.#stream.cork()
      uncorkAtEndOfTick(this)
    }
    this.#messagesSent++
    this.#writeOwn(frame)
    return this.#stream.writableLength < HIGH_WATER
  }

  uncork (): void {
    this.#corked = false
    this.#stream.uncork()
  }

  /** Charges memory that is kept for this client alone, or gives it back. @param bytes negative for what is given back */
  owe (bytes: number): void {
    if (bytes <= 0) return this.#giveBack(-bytes)
    this.#owed += bytes
    this.#context.budget.charge(bytes)
  }

  /** Resolves when what was written has left, or never will, and more may be replayed. */
  async drained (): Promise<void> {
    const stream = this.#stream
    const wait = this.#replays?.spend(0) ?? 0
    if (wait > 0) await pause(wait, undefined, { ref: false })
    if (!this.open || stream.destroyed || stream.writableLength === 0) return
    await new Promise<void>((resolve) => { stream.write(NOTHING, () => resolve()) })
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

  /** Tells a client that can be told that it is about to be closed. @param reconnectIn ms */
  drain (reconnectIn: number): void {
    if (this.open) this.#session?.drain?.(reconnectIn)
  }

  /** Starts the closing handshake; what was written before is sent before, and nothing is after. */
  close (code: number, reason: string, why: Pick<CloseReason, 'fault' | 'err'> = {}): void {
    if (!this.open) return
    this.#ending = { code, reason, ...why }
    this.#inbox?.stop()
    this.#socket.close(code, shorten(reason))
    startReading(this.#stream)
    this.#socket.resume()
  }

  /** Counts and logs that something was refused of what it asked for. @param message what it was told */
  refused (reason: string, message: string, details: Readonly<Record<string, unknown>>): void {
    this.#context.refusals.refused(reason, message, details, this.log)
  }

  /** Logs a fault of the app's code on this connection, and closes it. */
  fail (error: unknown, code: number = CloseCode.internal, reason = 'internal error'): void {
    this.#context.refusals.failed('the handler of a connection failed', error, this.log)
    this.close(code, reason)
  }

  /** Ends it at once, for a client that a closing handshake would have to wait for. */
  terminate (code: number, reason: string, why: Pick<CloseReason, 'fault'> = {}): void {
    this.#ending ??= { code, reason, ...why }
    this.#socket.terminate()
  }

  cutOff (): void {
    this.#giveBack(this.#owed)
    for (const frames of this.#shared?.splice(0) ?? []) this.#context.budget.release(frames)
    this.terminate(CloseCode.tryAgainLater, 'too much waits to be read', { fault: 'reply_budget' })
  }

  #receive (message: Message): void {
    this.#messagesReceived++
    this.#bytesReceived += message.data.length
    if (!this.open || this.#session === undefined) return
    if (this.#inbox !== undefined) {
      this.#inbox.push(message)
      const { size, bytes } = this.#inbox
      if (size > this.#context.inbox || (size > 1 && bytes > Math.max(this.#context.backlog, READ))) {
        this.close(CloseCode.policy, 'too many messages at once', { fault: 'inbox' })
      }
      return
    }
    try {
      const pending = this.#session.receive(message)
      if (pending === undefined) return
      this.#handling = costOf(message.data)
      this.received.charge(this.#handling)
      this.hold(pending)
    } catch (error) {
      this.fail(error)
    }
  }

  /** The message that was waited for is handled. */
  #handled (): void {
    this.#received?.giveBack(this.#handling)
    this.#handling = 0
  }

  #mayWrite (): boolean {
    if (!this.open) return false
    const turn = currentTick()
    if (this.#turn !== turn) {
      this.#turn = turn
      if (this.#stream.writableLength > this.#context.backlog) {
        this.terminate(CloseCode.policy, 'reads too slowly', { fault: 'slow_reader' })
        return false
      }
    }
    return true
  }

  /** Charges frames that many share, until they have left or never will. */
  #share (frames: Buffer): void {
    const shared = this.#shared ??= []
    shared.push(frames)
    this.#stream.write(NOTHING, () => {
      const left = shared.shift()
      if (left !== undefined) this.#context.budget.release(left)
    })
    this.#context.budget.share(frames)
  }

  #writeOwn (bytes: Buffer): void {
    this.#bytesSent += bytes.length
    this.#owed += bytes.length
    this.#stream.write(bytes, () => this.#giveBack(bytes.length))
    this.#context.budget.charge(bytes.length)
  }

  /** What is owed no more once it was cut off is not given back twice. */
  #giveBack (bytes: number): void {
    const owed = Math.min(bytes, this.#owed)
    this.#owed -= owed
    this.#context.budget.giveBack(owed)
  }

  #end (told: { code: number, reason: string }): void {
    const { code, reason, err }: CloseReason = this.#ending ?? { ...told, reason: legible(told.reason) }
    const cutOff = this.#ending && cutOffFor(this.#ending)
    const { chat, refusals, connections } = this.#context
    const duration = Math.round(performance.now()) - this.#opened
    this.#guard.ended()
    // Nobody is left to answer: what waits would be kept as long as a hook hangs.
    this.#inbox?.stop()
    this.#received?.giveBack(this.#received.owed)
    const line = {
      code,
      reason,
      ...err !== undefined && { err },
      duration,
      received: { messages: this.#messagesReceived, bytes: this.#bytesReceived },
      sent: { messages: this.#messagesSent, bytes: this.#bytesSent }
    }
    if (cutOff === undefined) this.log.info(line, 'websocket closed')
    else refusals.cutOff(cutOff, line, this.log)
    if (diagnostics.closed.hasSubscribers) diagnostics.closed.publish({ chat, connection: this, code, reason, cutOff, duration })
    connections.delete(this)
    this.#session?.ended?.()
  }
}
