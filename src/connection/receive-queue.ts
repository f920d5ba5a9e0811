import type { Message } from './message.ts'

/** Source and destination of the queued messages. */
export interface Reader {
  /** Stops reading from the client. */
  pause (): void
  /** Called when the queue is empty. Starts reading again if it was paused. */
  emptied (): void
  /** @returns a promise if the next message must wait for it */
  handle (message: Message): void | Promise<void>
  /** Called when the queue keeps more memory, in bytes. */
  charge (bytes: number): void
  /** Called when the queue keeps less memory, in bytes. */
  release (bytes: number): void
  fail (error: unknown): void
}

interface Queued { readonly message: Message, readonly cost: number }

/** Bytes of memory of a queued message without its content: two objects, a Buffer and its ArrayBuffer. */
const QUEUED_OVERHEAD = 384

/** Bytes of queued memory above which reading pauses. While reading is paused, the end of a connection isn't detected. */
const PAUSE_AT = 16 * 1024

/** Queues messages while the handler is busy. Passes them on one at a time, in order of arrival. */
export class ReceiveQueue {
  readonly #reader: Reader
  #queued: Queued[] = []
  #bytes = 0
  /** ArrayBuffer of the last message. It usually holds one socket read, which many messages share. */
  #buffer: ArrayBufferLike | undefined
  #paused = false
  #stopped = false

  /** @param pending settles when the first message may be handled */
  constructor (reader: Reader, pending: Promise<void>) {
    this.#reader = reader
    this.#wait(pending)
  }

  /** Number of queued messages. */
  get size (): number { return this.#queued.length }
  /** Bytes of memory of the queued messages. */
  get bytes (): number { return this.#bytes }

  push (message: Message): void {
    if (this.#stopped) return
    const { buffer } = message.data
    const cost = QUEUED_OVERHEAD + (buffer === this.#buffer ? 0 : buffer.byteLength)
    this.#buffer = buffer
    this.#queued.push({ message, cost })
    this.#bytes += cost
    this.#reader.charge(cost)
    if (this.#paused || this.#bytes <= PAUSE_AT) return
    this.#paused = true
    this.#reader.pause()
  }

  /** Drops the queued messages and all later ones. */
  stop (): void {
    this.#stopped = true
    this.#queued = []
    this.#shrink(this.#bytes)
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
      for (let handled = 1; handled <= this.#queued.length; handled++) {
        const { message, cost } = this.#queued[handled - 1]!
        this.#shrink(cost)
        const pending = this.#reader.handle(message)
        if (pending !== undefined) {
          this.#queued.splice(0, handled)
          if (this.#queued.length === 0) this.#buffer = undefined
          return this.#wait(pending)
        }
      }
    } catch (error) {
      return this.#fail(error)
    }
    if (!this.#stopped) this.#reader.emptied()
  }

  #shrink (bytes: number): void {
    this.#bytes -= bytes
    this.#reader.release(bytes)
  }
}
