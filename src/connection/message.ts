/** A complete message as received: a part of a chunk. Text is valid UTF-8. */
export class Message {
  readonly isBinary: boolean
  /** Index in the chunk after the last byte. */
  readonly end: number
  readonly #chunk: Buffer
  readonly #start: number
  readonly #isAscii: boolean

  /** @param isAscii whether the bytes are known to be ASCII */
  constructor (chunk: Buffer, isBinary: boolean, start = 0, end = chunk.length, isAscii = false) {
    this.#chunk = chunk
    this.isBinary = isBinary
    this.#start = start
    this.end = end
    this.#isAscii = isAscii
  }

  /** Number of bytes. */
  get length (): number { return this.end - this.#start }

  /** The bytes, which share the memory of the chunk. */
  get data (): Buffer { return this.#chunk.subarray(this.#start, this.end) }

  /** The content as `ws` emits it for a `binaryType` of the socket. Text is always emitted as a Buffer. */
  emitted (binaryType: string): Buffer | ArrayBuffer | Buffer[] | Blob {
    const { data } = this
    if (!this.isBinary || binaryType === 'nodebuffer') return data
    if (binaryType === 'arraybuffer') return new Uint8Array(data).buffer
    return binaryType === 'blob' ? new Blob([new Uint8Array(data)]) : [data]
  }

  get text (): string { return this.#chunk.toString(this.#isAscii ? 'latin1' : 'utf8', this.#start, this.end) }
}
