import type { EventEmitter } from 'node:events'
import * as ws from 'ws'
import type { WebSocket } from 'ws'
import type { ByteReader, FrameParser } from '../../connection/frame-parser.ts'
import { Message } from '../../connection/message.ts'

type Listener = (this: WsReceiver, ...args: any[]) => void

/**
 * Options of a receiver. It has each under the same name, after an underscore. Without `binaryType`, which the app may set on one socket:
 * our receivers pass on Buffers.
 */
const OPTIONS = ['allowSynchronousEvents', 'isServer', 'maxBufferedChunks', 'maxFragments', 'maxPayload', 'skipUTF8Validation'] as const

/** `ws` sets it when the app sets the `binaryType` of the socket. */
const BINARY_TYPE = { get: () => 'nodebuffer', set () {} }

/** Part of the state of a receiver that waits for bytes. */
const OPEN = { errorEmitted: false, finished: false, needDrain: false } as const

/**
 * The private `_receiver` of a WebSocket, `ws` 8.23.0: a Writable that parses what is written to it. Once it has finished, `ws` frees
 * the zlib stream. A callback of that stream that is still pending then throws, which ends the process.
 */
interface WsReceiver extends EventEmitter {
  end (): void
  readonly _write: (chunk: Buffer, encoding: BufferEncoding, callback: (error?: Error | null) => void) => void
  destroy (error: Error): void
}

// The types of `ws` leave it out.
const { Receiver } = ws as unknown as { Receiver: new (options: object) => WsReceiver }

type WsWebSocket = WebSocket & { _receiver: WsReceiver | WsParser, readonly _extensions: object }

/**
 * Returns a function that passes the bytes that `ws` reads from a client to a reader, instead of to its parser. The reader also receives
 * the parsed messages, which `ws` would emit. The function returns the parser. All its WebSockets MUST have the same options.
 * @throws if the receivers of the installed `ws` differ from those that this file was written for
 */
export function byteInterceptor (): (websocket: WebSocket, reader: ByteReader) => FrameParser {
  assertOptions(new Receiver({}))
  let factory: ReceiverFactory | undefined
  return (websocket, reader) => {
    factory ??= new ReceiverFactory(websocket as WsWebSocket)
    return new WsParser(websocket as WsWebSocket, reader, factory)
  }
}

/** Replaces a receiver until its parser is needed. A receiver takes 700 bytes. */
class WsParser implements FrameParser {
  readonly #websocket: WsWebSocket
  readonly #reader: ByteReader
  readonly #factory: ReceiverFactory

  constructor (websocket: WsWebSocket, reader: ByteReader, factory: ReceiverFactory) {
    this.#websocket = websocket
    this.#reader = reader
    this.#factory = factory
    websocket._receiver = this
  }

  parse (bytes: Buffer, onParsed: (error?: Error | null) => void): void { this.#receiver._write(bytes, 'utf8', onParsed) }

  fail (error: Error): void { this.#receiver.destroy(error) }

  // Members that `ws` uses before it ends the receiver.

  get _writableState (): typeof OPEN { return OPEN }

  write (chunk: Buffer): boolean { return read(chunk, this.#reader) }

  end (): void { this.#receiver.end() }

  get #receiver (): WsReceiver {
    if (this.#websocket._receiver === this) this.#websocket._receiver = this.#factory.create(this.#websocket, this.#reader)
    return this.#websocket._receiver as WsReceiver
  }
}

/** Creates receivers like that of a WebSocket. Doesn't keep the WebSocket, which has a request and a member. */
class ReceiverFactory {
  readonly #options: object
  /** Under which a receiver has its WebSocket. */
  readonly #owner: symbol
  readonly #listeners: ReadonlyArray<readonly [event: string | symbol, listener: Listener]>

  constructor (websocket: WsWebSocket) {
    const model = websocket._receiver as WsReceiver
    this.#options = Object.fromEntries(OPTIONS.map((name) => [name, Reflect.get(model, `_${name}`)]))
    this.#owner = Object.getOwnPropertySymbols(model).find((symbol) => Reflect.get(model, symbol) === websocket)!
    this.#listeners = model.eventNames().filter((event) => event !== 'message')
      .flatMap((event) => model.listeners(event).map((listener) => [event, listener as Listener] as const))
  }

  create (websocket: WsWebSocket, reader: ByteReader): WsReceiver {
    const receiver = new Receiver({ ...this.#options, extensions: websocket._extensions })
    for (const [event, listener] of this.#listeners) receiver.on(event, listener)
    receiver.on('message', (data: Buffer, isBinary: boolean) => reader.received(new Message(data, isBinary)))
    Object.defineProperty(receiver, '_binaryType', BINARY_TYPE)
    return Object.assign(receiver, {
      [this.#owner]: websocket,
      write: (chunk: Buffer) => read(chunk, reader),
      _final: (onParsed: () => void) => reader.end(onParsed)
    })
  }
}

/** An option that is missing would be a limit that is off. @throws if an option is missing */
function assertOptions (receiver: WsReceiver): void {
  const missing = OPTIONS.filter((name) => !(`_${name}` in receiver))
  if (missing.length > 0) throw new Error(`this version of ws has no option ${missing.join(', ')} of a Receiver: fastify-chat needs ws 8.23`)
}

/** Replaces a receiver's `write`. `ws` pauses the socket if it returns false. */
function read (chunk: Buffer, reader: ByteReader): boolean {
  reader.read(chunk)
  return true
}
