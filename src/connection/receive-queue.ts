/** A message as it came: whole, text as bytes of valid UTF-8. */
export interface Message { readonly data: Buffer, readonly isBinary: boolean }

/** Where the messages come from and go to. */
export interface Reader {
  /** Reads nothing more from the client. */
  pause (): void
  /** Called when nothing waits any more; reads on if it was paused. */
  resume (): void
  /** @returns a promise when the next must wait for it */
  handle (message: Message): void | Promise<void>
  /** Told by how many bytes of memory what waits has grown, or shrunk. */
  kept (bytes: number): void
  fail (error: unknown): void
}

interface Waiting { readonly message: Message, readonly cost: number }

/** Bytes of a message beside its content: two objects, a Buffer and what that is a part of. */
const MESSAGE = 384

/** Bytes of memory that may wait before nothing more is read. Until then the end of a connection is seen at once. */
const PAUSE_AT = 16 * 1024

/** Keeps what comes while a handler is waiting, and hands it over one at a time, in arrival order. */
export class ReceiveQueue {
  readonly #reader: Reader
  #waiting: Waiting[] = []
  #bytes = 0
  /** What the last one is a part of: mostly all that was read at once, which many share. */
  #buffer: ArrayBufferLike | undefined
  #paused = false
  #stopped = false

  /** @param pending what is waited for first */
  constructor (reader: Reader, pending: Promise<void>) {
    this.#reader = reader
    this.#wait(pending)
  }

  /** How many wait. */
  get size (): number { return this.#waiting.length }
  /** Bytes of memory of those that wait. */
  get bytes (): number { return this.#bytes }

  push (message: Message): void {
    if (this.#stopped) return
    const { buffer } = message.data
    const cost = MESSAGE + (buffer === this.#buffer ? 0 : buffer.byteLength)
    this.#buffer = buffer
    this.#waiting.push({ message, cost })
    this.#keep(cost)
    if (this.#paused || this.#bytes <= PAUSE_AT) return
    this.#paused = true
    this.#reader.pause()
  }

  /** Nothing more is handed over. */
  stop (): void {
    this.#stopped = true
    this.#waiting = []
    this.#keep(-this.#bytes)
  }

  #wait (pending: Promise<void>): void {
    pending.then(() => this.#release(), (error: unknown) => this.#fail(error))
  }

  #fail (error: unknown): void {
    this.stop()
    this.#reader.fail(error)
  }

  #release (): void {
    try {
      for (let handled = 1; handled <= this.#waiting.length; handled++) {
        const { message, cost } = this.#waiting[handled - 1]!
        this.#keep(-cost)
        const pending = this.#reader.handle(message)
        if (pending !== undefined) {
          this.#waiting.splice(0, handled)
          if (this.#waiting.length === 0) this.#buffer = undefined
          return this.#wait(pending)
        }
      }
    } catch (error) {
      return this.#fail(error)
    }
    if (!this.#stopped) this.#reader.resume()
  }

  #keep (bytes: number): void {
    this.#bytes += bytes
    this.#reader.kept(bytes)
  }
}
