/** Bytes of a masking key. RFC 6455, section 5.3. */
const MASK = 4

/** Finds the ends of a client's frames and messages, before `ws` parses them. RFC 6455, section 5.2. */
export class FrameScanner {
  /** Bytes of the current frame's header scanned so far. */
  #header = 0
  /** First byte of that header. */
  #first = 0
  /** Missing bytes of its length field. */
  #lengthBytes = 0
  /** Payload length, or the part of it that was scanned so far. */
  #length = 0
  /** Missing bytes of masking key and payload. */
  #rest = 0
  /** Whether another fragment must follow. */
  #fragmented = false
  #isDeflated = false
  #controls = 0
  #fragments = 0

  /** Control frames that the last scan completed. */
  get controls (): number { return this.#controls }

  /** Fragments that the last scan completed, without the last one of a message. */
  get fragments (): number { return this.#fragments }

  /** Whether fragments of a deflated message were completed, and others must follow. RFC 7692, section 6. */
  get isDeflated (): boolean { return this.#isDeflated && this.#fragmented }

  /** Whether a message or a control frame has begun and isn't complete. */
  get isIncomplete (): boolean { return this.#fragmented || this.#header > 0 }

  /** Returns whether the next bytes, as many as `length`, belong to the payload of one frame and don't complete it. */
  isWithinPayload (length: number): boolean { return this.#rest > length }

  /** Scans bytes up to the end of a message, or of the chunk. Returns the index after the last one. */
  scan (chunk: Buffer, at: number): number {
    this.#controls = 0
    this.#fragments = 0
    while (at < chunk.length) {
      if (this.#rest === 0) {
        this.#parse(chunk[at++]!)
        continue
      }
      const bytes = Math.min(this.#rest, chunk.length - at)
      at += bytes
      this.#rest -= bytes
      if (this.#rest > 0) break
      this.#header = 0
      if ((this.#first & 0x08) !== 0) {
        this.#controls++
      } else {
        this.#fragmented = (this.#first & 0x80) === 0
        if (!this.#fragmented) {
          this.#isDeflated = false
          break
        }
        this.#fragments++
      }
    }
    return at
  }

  /** Parses one byte of a header. */
  #parse (byte: number): void {
    if (this.#header === 0) {
      this.#first = byte
      // Of a data frame: a control frame can't be deflated.
      if ((byte & 0x48) === 0x40) this.#isDeflated = true
    } else if (this.#header === 1) {
      const length = byte & 0x7f
      this.#lengthBytes = length < 126 ? 0 : length === 126 ? 2 : 8
      this.#length = length < 126 ? length : 0
    } else {
      this.#length = this.#length * 256 + byte
      this.#lengthBytes--
    }
    this.#header++
    if (this.#header > 1 && this.#lengthBytes === 0) this.#rest = MASK + this.#length
  }
}
