import type { EventEmitter } from 'node:events'
import type { WebSocket } from 'ws'
import type { ByteReader, FrameParser } from '../../connection/frame-parser.ts'

type Parse = (chunk: Buffer, encoding: BufferEncoding, callback: (error?: Error | null) => void) => void

type Final = (callback: () => void) => void

const byteReader = Symbol('byte reader')

/**
 * The private `_receiver` of a WebSocket, `ws` 8.23.0: a Writable that parses what is written to it. Once it has finished, `ws` frees
 * the zlib stream. A callback of that stream that is still pending then throws, which ends the process.
 */
interface WsReceiver extends EventEmitter {
  /** `ws` pauses the socket if it returns false. */
  write: (chunk: Buffer) => boolean
  readonly _write: Parse
  _final?: Final
  destroy (error: Error): void
  [byteReader]?: ByteReader
}

/**
 * Passes the bytes that `ws` reads from a client to a reader, instead of to its parser. The reader also receives the parsed messages, which
 * `ws` would emit. Returns the parser.
 */
export function interceptBytes (websocket: WebSocket, reader: ByteReader): FrameParser {
  return new WsParser((websocket as WebSocket & { _receiver: WsReceiver })._receiver, reader)
}

class WsParser implements FrameParser {
  readonly #receiver: WsReceiver

  constructor (receiver: WsReceiver, reader: ByteReader) {
    this.#receiver = receiver
    receiver[byteReader] = reader
    receiver.write = readBytes
    receiver._final = endReading
    // Not by `removeAllListeners`, which makes the listeners a hash table of 448 bytes.
    for (const listener of receiver.listeners('message')) receiver.off('message', listener as () => void)
    receiver.on('message', passMessage)
  }

  parse (bytes: Buffer, onParsed: (error?: Error | null) => void): void {
    this.#receiver._write(bytes, 'utf8', onParsed)
  }

  fail (error: Error): void { this.#receiver.destroy(error) }
}

const readBytes = function (this: WsReceiver, chunk: Buffer): boolean {
  this[byteReader]!.read(chunk)
  return true
}

const passMessage = function (this: WsReceiver, data: Buffer, isBinary: boolean): void {
  this[byteReader]!.received({ data, isBinary })
}

const endReading: Final = function (this: WsReceiver, callback) { this[byteReader]!.end(callback) }
