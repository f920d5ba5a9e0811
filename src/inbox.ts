/** A message as it came: whole, text as bytes of valid UTF-8. */
export interface Message { readonly data: Buffer, readonly isBinary: boolean }

/** Where the messages come from and go to. */
export interface Reader {
  pause (): void
  resume (): void
  /** @returns a promise when the next must wait for it */
  handle (message: Message): void | Promise<void>
  fail (error: unknown): void
}

/**
 * Keeps what comes while a handler is waiting, and hands it over one at a time, in arrival order. Nothing more is read
 * from the socket meanwhile: what can queue up here is what had been read already.
 */
export class Inbox {
  readonly #reader: Reader
  #waiting: Message[] = []
  #stopped = false

  /** @param pending what is waited for first */
  constructor (reader: Reader, pending: Promise<void>) {
    this.#reader = reader
    reader.pause()
    this.#wait(pending)
  }

  /** Gives how many wait. */
  push (message: Message): number {
    return this.#stopped ? 0 : this.#waiting.push(message)
  }

  /** Nothing more is handed over. */
  stop (): void {
    this.#stopped = true
    this.#waiting = []
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
        const pending = this.#reader.handle(this.#waiting[handled - 1]!)
        if (pending !== undefined) {
          this.#waiting.splice(0, handled)
          return this.#wait(pending)
        }
      }
    } catch (error) {
      return this.#fail(error)
    }
    if (!this.#stopped) this.#reader.resume()
  }
}
