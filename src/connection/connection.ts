import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { WebSocket } from 'ws'
import { closeByWs, shorten, disconnectLabel, type CloseReason } from './close-reason.ts'
import { diagnostics } from '../observability/diagnostics.ts'
import { legible } from '../observability/printable.ts'
import type { Address } from './address.ts'
import { FrameGuard, type FrameLimits, type Guarded } from './frame-guard.ts'
import { ReceiveQueue, type Message } from './receive-queue.ts'
import { CloseCode } from '../protocol.ts'
import { Received, costOf } from './received.ts'
import type { RefusalLog } from '../observability/refusal-log.ts'
import type { Debtor, ByteBudget } from './byte-budget.ts'
import { TokenBucket, type Rate } from '../token-bucket.ts'
import { currentTick, uncorkAtEndOfTick } from './tick.ts'

/** Shared by the connections of one route. */
export interface ConnectionContext {
  /** the chat's prefix, which identifies it */
  readonly chat: string
  /** of the route */
  readonly path: string
  readonly connections: { add (connection: Connection): void, delete (connection: Connection): void }
  /** pending bytes of one client; above this it is terminated */
  readonly backlog: number
  readonly budget: ByteBudget
  readonly receiveBudget: ByteBudget
  /** messages in the receive queue; above this the connection is closed */
  readonly inbox: number
  readonly frames: FrameLimits
  /** bytes; a replay above this rate is delayed */
  readonly replays: Rate
  readonly refusals: RefusalLog
  readonly reading: ReadingControl
}

/** Stops reading the client's bytes from the system, and starts again. Pausing a stream alone doesn't stop that at once. */
export interface ReadingControl {
  stop (stream: Duplex): void
  start (stream: Duplex): void
}

/** Handles the messages of a connection. */
export interface MessageHandler {
  /**
   * Called with one message at a time, in order. The next call waits until the promise has settled. A throw or a
   * rejection closes the connection with 1011.
   */
  receive (message: Message): void | Promise<void>
  /** Called before the server closes the connection. @param reconnectIn ms after which the client should reconnect */
  drain? (reconnectIn: number): void
  /** Called when the connection is closed. */
  ended? (): void
}

const NOTHING = Buffer.alloc(0)

/** Pending bytes from which `reply` returns false. */
const HIGH_WATER = 64 * 1024

/** Bytes, more than one read from a socket returns. A queued message is a slice of such a read and keeps all of it. */
const READ = 128 * 1024

/** Bytes up to which a replay isn't charged to the replay rate. */
const SMALL_REPLAY = 16 * 1024

const connection = Symbol('connection')

type Connected = WebSocket & { [connection]: Connection }

/** Returns the connection of a socket. With it, thousands of sockets share their listeners. */
function connectionOf (socket: WebSocket): Connection {
  return (socket as Connected)[connection]
}

/**
 * One upgraded socket. `ws` parses incoming frames and answers pings and closes. Outgoing frames are written directly to
 * the underlying stream, so that many connections can share one buffer.
 */
export class Connection implements Debtor, Guarded {
  readonly log: FastifyBaseLogger
  readonly address: Address
  readonly #socket: WebSocket
  readonly #stream: Duplex
  readonly #context: ConnectionContext
  #handler: MessageHandler | undefined
  /** Created at the first charge, which most connections never have. */
  #received: Received | undefined
  /** Bytes charged for the message that is being handled. */
  #handling = 0
  /** Set while the handler's promise is pending. */
  #queue: ReceiveQueue | undefined
  readonly #guard: FrameGuard
  #replays: TokenBucket | undefined
  readonly #opened = Math.round(performance.now())
  #messagesReceived = 0
  #bytesReceived = 0
  #messagesSent = 0
  #bytesSent = 0
  /** Whether the stream is corked until the end of this tick, for the frames of `ws` too. */
  #corked = false
  #charged = 0
  /** Shared buffers that are pending here, in the order of writing. Created at the first one. */
  #shared: Buffer[] | undefined
  /** The last tick with a write. */
  #lastWriteTick = -1
  /** Bytes read from the client at the previous heartbeat. */
  #previousBytesRead: number | undefined
  /** Set if the server ended the connection. */
  #closeReason: CloseReason | undefined

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
    // The other end of an injected stream is in this process and never sends the FIN that a closing socket waits for.
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

  /** After these errors `ws` closes by itself, and its close event has only the code that the client answered. */
  static readonly #onError = function (this: WebSocket, error: NodeJS.ErrnoException): void {
    connectionOf(this).#closeReason ??= closeByWs(error)
  }

  static readonly #onClose = function (this: WebSocket, code: number, reason: Buffer): void {
    connectionOf(this).#end({ code, reason: reason.toString() })
  }

  get open (): boolean { return this.#socket.readyState === WebSocket.OPEN }

  /** Charges for input of this client that isn't handled yet. */
  get received (): Received {
    this.#received ??= new Received(this.#context.receiveBudget, () => {
      this.terminate(CloseCode.tryAgainLater, 'receive budget exceeded', { fault: 'receive_budget' })
    })
    return this.#received
  }

  /** Bytes charged for input that isn't handled yet. */
  get receiving (): number { return this.#received?.owed ?? 0 }

  get held (): boolean { return this.#socket.isPaused }

  /** Pending bytes. */
  get backlog (): number { return this.#stream.writableLength }

  /** Bytes by which the process-wide budget selects the client to terminate. */
  get owed (): number { return this.#stream.destroyed ? 0 : Math.max(this.#charged, this.backlog) }

  /** Passes all further messages to the handler. */
  serve (handler: MessageHandler): void { this.#handler = handler }

  /** Queues messages, in order, until the promise settles. */
  hold (pending: Promise<void>): void {
    this.#queue ??= new ReceiveQueue({
      pause: () => {
        this.#socket.pause()
        // Node starts to read again in a nextTick after it emitted the data. A microtask runs later than that.
        queueMicrotask(() => { if (this.held && this.open) this.#context.reading.stop(this.#stream) })
      },
      resume: () => {
        this.#queue = undefined
        this.#handled()
        if (!this.held) return
        this.#context.reading.start(this.#stream)
        this.#socket.resume()
      },
      handle: (message) => {
        this.#handled()
        this.#handling = costOf(message.data)
        this.received.charge(this.#handling)
        return this.#handler!.receive(message)
      },
      kept: (bytes) => this.received.charge(bytes),
      fail: (error) => this.fail(error)
    }, pending)
  }

  /** Logs a message of the client at level debug. */
  logReceived ({ data, isBinary }: Message, room?: string): void {
    const log = this.log as { readonly level?: string, isLevelEnabled? (level: string): boolean }
    // The logger that Fastify gives an app without one has no level.
    if (log.level === undefined || log.isLevelEnabled?.('debug') === false) return
    const content = isBinary ? { bytes: data.length } : { text: data.toString() }
    this.log.debug(room === undefined ? content : { room, ...content }, 'received')
  }

  /**
   * Writes whole frames. Terminates the connection instead if its pending bytes exceed the limit at the first write of a
   * tick: right after a write a healthy client can have megabytes pending, a tick later none.
   * @param acks frames for this client alone, sent in the same write
   * @returns whether the frames were written
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
    // For a client that reads, the kernel accepts the bytes at once and nothing is pending.
    if (this.#stream.writableLength > 0) this.#share(frames)
    return true
  }

  /** Writes whole frames for this client alone: a replay of missed messages. @returns whether they were written */
  replay (frames: Buffer, messages: number): boolean {
    if (frames.length === 0 || !this.#mayWrite()) return false
    this.#messagesSent += messages
    // The request rate bounds the number of small replays.
    if (frames.length > SMALL_REPLAY) (this.#replays ??= new TokenBucket(this.#context.replays)).spend(frames.length)
    this.#writeOwn(frames)
    return true
  }

  /**
   * Sends a frame, in one write with all other frames of this tick.
   * @returns false if the caller should wait for `drained()` before it sends more
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

  /** Charges memory kept for this client alone, or releases it. @param bytes negative to release */
  owe (bytes: number): void {
    if (bytes <= 0) return this.#release(-bytes)
    this.#charged += bytes
    this.#context.budget.charge(bytes)
  }

  /** Resolves when the written bytes are sent and the replay rate allows more, or when the connection has ended. */
  async drained (): Promise<void> {
    const stream = this.#stream
    const wait = this.#replays?.spend(0) ?? 0
    if (wait > 0) await pause(wait, undefined, { ref: false })
    if (!this.open || stream.destroyed || stream.writableLength === 0) return
    await new Promise<void>((resolve) => { stream.write(NOTHING, () => resolve()) })
  }

  /**
   * Returns whether the client sent bytes since the last call, or reading is paused and nothing is pending. Always true
   * for an injected stream.
   */
  heard (): boolean {
    const before = this.#previousBytesRead
    this.#previousBytesRead = this.#stream instanceof Socket ? this.#stream.bytesRead : undefined
    const waiting = this.#socket.isPaused && this.#stream.writableLength === 0
    return this.#previousBytesRead === undefined || this.#previousBytesRead !== before || waiting
  }

  ping (): void {
    if (this.open) this.#socket.ping()
  }

  /** Announces the close to the client, if its wire can. @param reconnectIn ms after which the client should reconnect */
  drain (reconnectIn: number): void {
    if (this.open) this.#handler?.drain?.(reconnectIn)
  }

  /** Starts the closing handshake. Frames already written are sent before it; later ones are dropped. */
  close (code: number, reason: string, why: Pick<CloseReason, 'fault' | 'err'> = {}): void {
    if (!this.open) return
    this.#closeReason = { code, reason, ...why }
    this.#queue?.stop()
    this.#socket.close(code, shorten(reason))
    this.#context.reading.start(this.#stream)
    this.#socket.resume()
  }

  /** Counts and logs a refused request. @param message text of the error */
  refused (reason: string, message: string, details: Readonly<Record<string, unknown>>): void {
    this.#context.refusals.refused(reason, message, details, this.log)
  }

  /** Logs an error of the app's code and closes the connection. */
  fail (error: unknown, code: number = CloseCode.internal, reason = 'internal error'): void {
    this.#context.refusals.failed('the handler of a connection failed', error, this.log)
    this.close(code, reason)
  }

  /** Ends the connection without a closing handshake. */
  terminate (code: number, reason: string, why: Pick<CloseReason, 'fault'> = {}): void {
    this.#closeReason ??= { code, reason, ...why }
    this.#socket.terminate()
  }

  cutOff (): void {
    this.#release(this.#charged)
    for (const frames of this.#shared?.splice(0) ?? []) this.#context.budget.release(frames)
    this.terminate(CloseCode.tryAgainLater, 'reply budget exceeded', { fault: 'reply_budget' })
  }

  #receive (message: Message): void {
    this.#messagesReceived++
    this.#bytesReceived += message.data.length
    if (!this.open || this.#handler === undefined) return
    if (this.#queue !== undefined) {
      this.#queue.push(message)
      const { size, bytes } = this.#queue
      if (size > this.#context.inbox || (size > 1 && bytes > Math.max(this.#context.backlog, READ))) {
        this.close(CloseCode.policy, 'too many messages at once', { fault: 'inbox' })
      }
      return
    }
    try {
      const pending = this.#handler.receive(message)
      if (pending === undefined) return
      this.#handling = costOf(message.data)
      this.received.charge(this.#handling)
      this.hold(pending)
    } catch (error) {
      this.fail(error)
    }
  }

  /** Releases the charge for the message that was being handled. */
  #handled (): void {
    this.#received?.giveBack(this.#handling)
    this.#handling = 0
  }

  #mayWrite (): boolean {
    if (!this.open) return false
    const tick = currentTick()
    if (this.#lastWriteTick !== tick) {
      this.#lastWriteTick = tick
      if (this.#stream.writableLength > this.#context.backlog) {
        this.terminate(CloseCode.policy, 'reads too slowly', { fault: 'slow_reader' })
        return false
      }
    }
    return true
  }

  /** Charges shared frames until they are sent or discarded. */
  #share (frames: Buffer): void {
    const shared = this.#shared ??= []
    shared.push(frames)
    this.#stream.write(NOTHING, () => {
      const sent = shared.shift()
      if (sent !== undefined) this.#context.budget.release(sent)
    })
    this.#context.budget.share(frames)
  }

  #writeOwn (bytes: Buffer): void {
    this.#bytesSent += bytes.length
    this.#charged += bytes.length
    this.#stream.write(bytes, () => this.#release(bytes.length))
    this.#context.budget.charge(bytes.length)
  }

  /** Releases at most the charged bytes: write callbacks that run after `cutOff` release nothing twice. */
  #release (bytes: number): void {
    const released = Math.min(bytes, this.#charged)
    this.#charged -= released
    this.#context.budget.giveBack(released)
  }

  #end (closed: { code: number, reason: string }): void {
    const { code, reason, err }: CloseReason = this.#closeReason ?? { ...closed, reason: legible(closed.reason) }
    const disconnect = this.#closeReason && disconnectLabel(this.#closeReason)
    const { chat, refusals, connections } = this.#context
    const duration = Math.round(performance.now()) - this.#opened
    this.#guard.ended()
    // The queued messages can't be answered any more, and a hook that hangs would keep them in memory.
    this.#queue?.stop()
    this.#received?.giveBack(this.#received.owed)
    const line = {
      code,
      reason,
      ...err !== undefined && { err },
      duration,
      received: { messages: this.#messagesReceived, bytes: this.#bytesReceived },
      sent: { messages: this.#messagesSent, bytes: this.#bytesSent }
    }
    if (disconnect === undefined) this.log.info(line, 'websocket closed')
    else refusals.disconnected(disconnect, line, this.log)
    if (diagnostics.closed.hasSubscribers) diagnostics.closed.publish({ chat, connection: this, code, reason, disconnect, duration })
    connections.delete(this)
    this.#handler?.ended?.()
  }
}
