import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyBaseLogger } from 'fastify'
import { WebSocket } from 'ws'
import type { Address } from './address.ts'
import type { ByteBudget } from './byte-budget.ts'
import { protocolClose, shorten, type CloseDetails, type CloseReason } from './close-reason.ts'
import { diagnostics } from '../observability/diagnostics.ts'
import { clientOf, reportEnd, type Closed, type Reporting } from './end-report.ts'
import { CloseCode } from '../protocol.ts'
import type { FrameLimits } from './frame-guard.ts'
import type { ByteReader, FrameParser } from './frame-parser.ts'
import type { Message } from './message.ts'
import { Pongs } from './pongs.ts'
import { ReceiveQueue, type Queued } from './receive-queue.ts'
import { Receiver, type Source } from './receiver.ts'
import type { Writer, WriterOwner } from './writer.ts'

/** Shared by the connections of one route. */
export interface ConnectionContext extends Reporting {
  /** the option that sets the maximum size of a message */
  readonly payloadOption: string
  readonly connections: { add (connection: Connection): void, delete (connection: Connection): void }
  readonly frames: FrameLimits
  /** limits the bytes that the process received and hasn't handled yet */
  readonly receiveBudget: ByteBudget
  readonly reading: ReadingControl
  /** Creates the parser of a socket's frames, which passes the bytes that it reads to the reader. */
  readonly openParser: (socket: WebSocket, reader: ByteReader) => FrameParser
  readonly createWriter: (stream: Duplex, owner: WriterOwner) => Writer
}

/** Stops reading the client's bytes from the system, and starts again. Pausing a stream alone doesn't stop that at once. */
export interface ReadingControl {
  stop (stream: Duplex): void
  start (stream: Duplex): void
}

const connection = Symbol('connection')

type Connected = WebSocket & { [connection]: Connection }

/** Returns the connection of a socket. All sockets share the same listener functions. */
function connectionOf (socket: WebSocket): Connection {
  return (socket as Connected)[connection]
}

/** Does nothing with the errors of a socket. `malformed` has received those of its receiver. */
function ignore (): void {}

/**
 * One upgraded socket, from the upgrade to its end. The queue reads incoming frames, and `ws` answers close frames. The receiver handles
 * incoming messages. The writer sends outgoing messages.
 */
export class Connection implements Queued, Source, WriterOwner {
  readonly log: FastifyBaseLogger
  readonly address: Address
  readonly receiver: Receiver
  readonly writer: Writer
  readonly #socket: WebSocket
  readonly #stream: Duplex
  readonly #context: ConnectionContext
  readonly #queue: ReceiveQueue
  readonly #opened = Math.round(performance.now())
  /** Whether the server has paused reading. */
  #isPaused = false
  /** Bytes read from the client at the previous heartbeat. */
  #previousBytesRead: number | undefined
  /** Created at the first ping. */
  #pongs: Pongs | undefined
  /** Set if the server ended the connection. */
  #closeReason: CloseReason | undefined

  constructor (socket: WebSocket, stream: Duplex, { log, address }: Pick<Connection, 'log' | 'address'>, context: ConnectionContext) {
    this.#socket = socket
    this.#stream = stream
    this.#context = context
    this.log = log
    this.address = address
    this.receiver = new Receiver(this, context.receiveBudget)
    this.writer = context.createWriter(stream, this)
    this.#queue = new ReceiveQueue(this, (reader) => context.openParser(socket, reader), context.frames)
    ;(socket as Connected)[connection] = this
    socket.on('ping', Connection.#onPing)
    socket.on('error', ignore)
    socket.on('close', Connection.#onClose)
    // The other end of an injected stream is in this process and never sends the FIN that a closing socket waits for.
    if (!(stream instanceof Socket)) stream.once('finish', () => setImmediate(() => stream.destroy()))
    context.connections.add(this)
    if (diagnostics.opened.hasSubscribers) {
      const { chat, path } = context
      diagnostics.opened.publish({ chat, path, connection: this, address: address.name, protocol: socket.protocol })
    }
  }

  static readonly #onPing = function (this: WebSocket, data: Buffer): void { connectionOf(this).#answer(data) }

  static readonly #onClose = function (this: WebSocket, code: number, reason: Buffer): void {
    connectionOf(this).#end({ code, reason: reason.toString() })
  }

  get open (): boolean { return this.#socket.readyState === WebSocket.OPEN }

  /** Whether the server or the app has paused reading. */
  get isPaused (): boolean { return this.#isPaused || this.#socket.isPaused }

  /** Once the connection is closing, messages are ignored. Only the client's close frame matters. */
  get isBusy (): boolean { return this.open && this.receiver.isBusy }

  /** Stops reading from the client. Not by the socket's own `pause`, which is left to the app. */
  pause (): void {
    this.#isPaused = true
    this.#stream.pause()
    // Node starts reading again in a `nextTick` callback after it emitted the data. A microtask runs after that callback.
    queueMicrotask(() => { if (this.#isPaused && this.open) this.#context.reading.stop(this.#stream) })
  }

  resume (): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#context.reading.start(this.#stream)
    if (!this.#socket.isPaused) this.#stream.resume()
  }

  /** Emits the message first, as `ws` does: the app may listen to it too, and end the connection. */
  received (message: Message): void {
    if (this.#socket.listenerCount('message') > 0) this.#socket.emit('message', message.emitted(this.#socket.binaryType), message.isBinary)
    this.receiver.receive(message)
  }

  /** Emits it as `ws` does. */
  receivedPong (data: Buffer): void { this.#socket.emit('pong', data) }

  proceed (): void { this.#queue.proceed() }

  malformed (error: Error): void {
    const { code, reason, ...details } = protocolClose(error, this.#context.payloadOption)
    const close = () => {
      this.close(code, reason, details)
      this.#queue.fail(error)
    }
    const delivered = this.open ? this.receiver.delivered() : undefined
    if (delivered === undefined) close()
    else delivered.then(close, close)
  }

  /**
   * Returns whether the client is alive. It is if it sent bytes since the last call. It also counts as alive while reading is
   * paused and no bytes are pending. Always true for an injected stream.
   */
  isAlive (): boolean {
    const before = this.#previousBytesRead
    this.#previousBytesRead = this.#stream instanceof Socket ? this.#stream.bytesRead : undefined
    const waiting = this.isPaused && this.writer.pendingBytes === 0
    return this.#previousBytesRead === undefined || this.#previousBytesRead !== before || waiting
  }

  ping (): void {
    if (this.open) this.#socket.ping()
  }

  /** Announces the close if the client's wire has a message for it. @param reconnectIn ms after which the client should reconnect */
  drain (reconnectIn: number): void {
    if (this.open) this.receiver.handler?.drain?.(reconnectIn)
  }

  /** Starts the closing handshake. Messages that were already written are sent first. Later ones are dropped. */
  close (code: number, reason: string, details: CloseDetails = {}): void {
    if (!this.open) return
    this.#closeReason = { code, reason, ...details }
    this.#socket.close(code, shorten(reason))
    this.#queue.proceed()
    this.resume()
    // Otherwise the close frame of the client is never read.
    if (this.#socket.isPaused) this.#socket.resume()
  }

  /** Logs an error of the app's code and closes the connection. */
  fail (error: unknown, code: number = CloseCode.internal, reason = 'internal error'): void {
    this.logFault(error)
    this.close(code, reason)
  }

  /** Logs an error of the app's code. */
  logFault (error: unknown): void {
    this.#context.refusals.failed('the handler of a connection failed', error, this.log)
  }

  /** Terminates the connection. */
  terminate (code: number, reason: string, details: CloseDetails = {}): void {
    this.#closeReason ??= { code, reason, ...details }
    this.#socket.terminate()
  }

  /** Counts and logs a refused request. @param message text of the error */
  refused (reason: string, message: string, details: Readonly<Record<string, unknown>>): void {
    this.#context.refusals.refused(reason, message, { ...details, ...clientOf(this) }, this.log)
  }

  #answer (ping: Buffer): void {
    if (this.open) (this.#pongs ??= new Pongs(this, this.#context.frames)).send(this.#socket, ping)
  }

  #end (closed: Closed): void {
    this.#queue.stop()
    reportEnd(this, this.#closeReason, closed, Math.round(performance.now()) - this.#opened, this.#context)
    this.#context.connections.delete(this)
    this.receiver.ended()
  }
}
