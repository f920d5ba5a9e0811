/** A message as it came: whole, text as bytes of valid UTF-8. */
export interface Message { readonly data: Buffer, readonly isBinary: boolean }

/**
 * Hands a connection's messages to its handler one at a time, in arrival order. While the handler is waiting, nothing
 * more is read from the socket: what can queue up here is what had been read already.
 */
export class Inbox {
  readonly #source: { pause (): void, resume (): void }
  readonly #handle: (message: Message) => void | Promise<void>
  readonly #failed: (error: unknown) => void
  #waiting: Message[] | undefined
  #stopped = false

  constructor (
    source: { pause (): void, resume (): void },
    handle: (message: Message) => void | Promise<void>,
    failed: (error: unknown) => void
  ) {
    this.#source = source
    this.#handle = handle
    this.#failed = failed
  }

  push (message: Message): void {
    if (this.#stopped) return
    if (this.#waiting !== undefined) {
      this.#waiting.push(message)
      return
    }
    try {
      const pending = this.#handle(message)
      if (pending !== undefined) this.hold(pending)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Keeps what comes until the promise settles; a rejection is a failure of the connection. */
  hold (pending: Promise<void>): void {
    this.#waiting ??= []
    this.#source.pause()
    pending.then(() => this.#release(), (error) => this.#fail(error))
  }

  /** Nothing more is handed over. */
  stop (): void {
    this.#stopped = true
    this.#waiting = []
  }

  #fail (error: unknown): void {
    this.stop()
    this.#failed(error)
  }

  #release (): void {
    if (this.#stopped) return
    const waiting = this.#waiting!
    this.#waiting = undefined
    for (let i = 0; i < waiting.length; i++) {
      this.push(waiting[i]!)
      if (this.#waiting !== undefined) {
        (this.#waiting as Message[]).push(...waiting.slice(i + 1))
        return
      }
    }
    this.#source.resume()
  }
}
