import type { Message } from '../messages.ts'
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
    const waiting = this.#waiting.shift()
    if (waiting !== undefined) waiting.resolve({ done: false, value: message })
    else if (this.#buffered.push(message) >= MAX_BUFFERED) this.end(new ChatError('overflow', `the iteration is ${MAX_BUFFERED} messages behind`))
  }

  [Symbol.asyncIterator] (): this { return this }

  /** Ends the iteration after the buffered messages, with an error if there is one. */
  end (error?: ChatError): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    this.#onEnd()
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (this.#error === undefined) {
        resolve({ done: true, value: undefined })
      } else {
        reject(this.#error)
        this.#error = undefined
      }
    }
  }

  next (): Promise<IteratorResult<Message>> {
    const message = this.#buffered.shift()
    if (message !== undefined) return Promise.resolve({ done: false, value: message })
    if (!this.#ended) return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
    const error = this.#error
    this.#error = undefined
    return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error)
  }

  return (): Promise<IteratorResult<Message>> {
    this.#buffered.length = 0
    this.#error = undefined
    this.end()
    return Promise.resolve({ done: true, value: undefined })
  }
}
