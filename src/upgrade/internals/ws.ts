import type { EventEmitter } from 'node:events'
import type { WebSocket } from 'ws'
import type { ByteReader, FrameParser } from '../../connection/frame-parser.ts'
import { Message } from '../../connection/message.ts'

type Listener = (this: WsReceiver, ...args: any[]) => void

/** Options of a receiver. It has each under the same name, after an underscore. */
const OPTIONS = [
  'allowSynchronousEvents', 'binaryType', 'isServer', 'maxBufferedChunks', 'maxFragments', 'maxPayload', 'skipUTF8Validation'
] as const

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

type WsWebSocket = WebSocket & { _receiver: WsReceiver | WsParser, readonly _extensions: object }

type CreateReceiver = (websocket: WsWebSocket, reader: ByteReader) => WsReceiver

/**
 * Returns a function that passes the bytes that `ws` reads from a client to a reader, instead of to its parser. The reader also receives
 * the parsed messages, which `ws` would emit. The function returns the parser. All its WebSockets MUST have the same options.
 */
export function byteInterceptor (): (websocket: WebSocket, reader: ByteReader) => FrameParser {
  let create: CreateReceiver | undefined
  return (websocket, reader) => {
    create ??= receiverLike(websocket as WsWebSocket)
    return new WsParser(websocket as WsWebSocket, reader, create)
  }
}

/** Takes the place of a receiver, and creates it when it is needed: most connections never need it, and it takes 700 bytes. */
class WsParser implements FrameParser {
  readonly #websocket: WsWebSocket
  readonly #reader: ByteReader
  readonly #create: CreateReceiver

  constructor (websocket: WsWebSocket, reader: ByteReader, create: CreateReceiver) {
    this.#websocket = websocket
    this.#reader = reader
    this.#create = create
    websocket._receiver = this
  }

  parse (bytes: Buffer, onParsed: (error?: Error | null) => void): void { this.#receiver._write(bytes, 'utf8', onParsed) }

  fail (error: Error): void { this.#receiver.destroy(error) }

  // What `ws` uses of a receiver before it has ended it.

  get _writableState (): typeof OPEN { return OPEN }

  write (chunk: Buffer): boolean { return passOn(chunk, this.#reader) }

  end (): void { this.#receiver.end() }

  get #receiver (): WsReceiver {
    if (this.#websocket._receiver === this) this.#websocket._receiver = this.#create(this.#websocket, this.#reader)
    return this.#websocket._receiver as WsReceiver
  }
}

/** Returns a function that creates receivers like that of a WebSocket. */
function receiverLike (websocket: WsWebSocket): CreateReceiver {
  const model = websocket._receiver as WsReceiver
  const Receiver = model.constructor as new (options: object) => WsReceiver
  const options = Object.fromEntries(OPTIONS.map((name) => [name, Reflect.get(model, `_${name}`)]))
  const owner = Object.getOwnPropertySymbols(model).find((symbol) => Reflect.get(model, symbol) === websocket)!
  const listeners = model.eventNames().filter((event) => event !== 'message')
    .flatMap((event) => model.listeners(event).map((listener) => [event, listener as Listener] as const))
  return (websocket, reader) => {
    const receiver = new Receiver({ ...options, extensions: websocket._extensions })
    for (const [event, listener] of listeners) receiver.on(event, listener)
    receiver.on('message', (data: Buffer, isBinary: boolean) => reader.received(new Message(data, isBinary)))
    return Object.assign(receiver, {
      [owner]: websocket,
      write: (chunk: Buffer) => passOn(chunk, reader),
      _final: (onParsed: () => void) => reader.end(onParsed)
    })
  }
}

/** Takes the place of a receiver's `write`. `ws` pauses the socket if it returns false. */
function passOn (chunk: Buffer, reader: ByteReader): boolean {
  reader.read(chunk)
  return true
}
