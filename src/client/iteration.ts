import type { Change, Message } from '../messages.ts'
import { applyChange } from './apply-change.ts'
import { ChatError } from './error.ts'

/** Number of buffered messages at which an iteration ends with `overflow`. */
const MAX_BUFFERED = 10_000

/** One `for await` loop over a room's messages, with a bounded buffer. */
export class Iteration implements AsyncIterableIterator<Message> {
  readonly #onEnd: () => void
  readonly #buffered: Message[] = []
  readonly #generator = this.#generate()
  #error: ChatError | undefined
  #ended = false
  /** Continues the generator after the wait for a message. */
  #wake = (): void => {}

  constructor (onEnd: () => void) {
    this.#onEnd = onEnd
  }

  push (message: Message): void {
    // The generator continues in a microtask: a change of the message may be received in this tick.
    if (this.#buffered.push(message) >= MAX_BUFFERED) this.end(new ChatError('overflow', `the iteration is ${MAX_BUFFERED} messages behind`))
    this.#wake()
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
    this.#wake()
  }

  next (): Promise<IteratorResult<Message>> { return this.#generator.next() }

  return (): Promise<IteratorResult<Message>> {
    this.#buffered.length = 0
    this.#error = undefined
    this.end()
    return this.#generator.return()
  }

  async * #generate (): AsyncGenerator<Message, void, void> {
    for (;;) {
      const message = this.#buffered.shift()
      if (message !== undefined) yield message
      else if (!this.#ended) await new Promise<void>((resolve) => { this.#wake = resolve })
      else if (this.#error === undefined) return
      else throw this.#error
    }
  }
}
