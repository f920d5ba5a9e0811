import type { Change, Message } from '../messages.ts'
import { applyChange } from './apply-change.ts'
import { ChatError } from './error.ts'

/** Number of buffered messages at which an iteration ends with `overflow`. */
const MAX_BUFFERED = 10_000

interface Waiting { resolve (result: IteratorResult<Message>): void, reject (error: Error): void }

/** One `for await` loop over a room's messages, with a bounded buffer. */
export class Iteration implements AsyncIterableIterator<Message> {
  readonly #onEnd: () => void
  readonly #buffered: Message[] = []
  readonly #waiting: Waiting[] = []
  #error: ChatError | undefined
  #ended = false

  constructor (onEnd: () => void) {
    this.#onEnd = onEnd
  }

  push (message: Message): void {
    const buffered = this.#buffered.push(message)
    if (buffered >= MAX_BUFFERED) this.end(new ChatError('overflow', `the iteration is ${MAX_BUFFERED} messages behind`))
    // In a microtask: a change of the message may be received in this tick, before the loop has the message.
    else if (this.#waiting.length > 0 && buffered === 1) queueMicrotask(() => this.#settle())
  }

  /** Applies a change to its message if the loop doesn't have the message yet. */
  apply (change: Change): void {
    const index = this.#buffered.findLastIndex(({ position }) => position === change.position)
    if (index >= 0) this.#buffered[index] = applyChange(this.#buffered[index]!, change)
  }

  [Symbol.asyncIterator] (): this { return this }

  /** Ends the iteration after the buffered messages, with an error if there is one. */
  end (error?: ChatError): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    this.#onEnd()
    this.#settle()
  }

  next (): Promise<IteratorResult<Message>> {
    const result = new Promise<IteratorResult<Message>>((resolve, reject) => this.#waiting.push({ resolve, reject }))
    this.#settle()
    return result
  }

  return (): Promise<IteratorResult<Message>> {
    this.#buffered.length = 0
    this.#error = undefined
    this.end()
    return Promise.resolve({ done: true, value: undefined })
  }

  /** Settles the results that wait, as far as messages or the end have arrived. */
  #settle (): void {
    while (this.#buffered.length > 0 || this.#ended) {
      const waiting = this.#waiting.shift()
      if (waiting === undefined) return
      const value = this.#buffered.shift()
      if (value !== undefined) waiting.resolve({ done: false, value })
      else if (this.#error === undefined) waiting.resolve({ done: true, value: undefined })
      else {
        waiting.reject(this.#error)
        this.#error = undefined
      }
    }
  }
}
