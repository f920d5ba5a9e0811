import type { Change, Message } from '../../messages.ts'
import { applyChange, replaceMessage } from '../apply-change.ts'
import { MAX_ITERATION } from '../bounds.ts'
import { ChatError } from '../error.ts'

export interface Iteration extends AsyncIterableIterator<Message> {
  push (message: Message): void
  /** Applies a change to its message if the loop doesn't have the message yet. */
  apply (change: Change): void
  /** Ends the iteration after the buffered messages, with an error if there is one. */
  end (error?: ChatError): void
  return (): Promise<IteratorResult<Message>>
}

/** Returns one `for await` loop over a room's messages, with a bounded buffer. */
export function iteration (onEnd: () => void): Iteration {
  const buffered: Message[] = []
  let error: ChatError | undefined
  let isEnded = false
  /** Continues the generator after the wait for a message. */
  let wake = (): void => {}

  async function * generate (): AsyncGenerator<Message, void, void> {
    for (;;) {
      const message = buffered.shift()
      if (message !== undefined) yield message
      else if (!isEnded) await new Promise<void>((resolve) => { wake = resolve })
      else if (error === undefined) return
      else throw error
    }
  }

  function end (reason?: ChatError): void {
    if (isEnded) return
    isEnded = true
    error = reason
    onEnd()
    wake()
  }

  const generator = generate()
  return Object.assign(generator, {
    end,
    push (message: Message) {
      if (isEnded) return
      // The generator continues in a microtask: a change of the message may be received in this tick.
      if (buffered.push(message) >= MAX_ITERATION) end(new ChatError('overflow', `the iteration is ${MAX_ITERATION} messages behind`))
      wake()
    },
    apply (change: Change) {
      replaceMessage(buffered, change.position, (message) => applyChange(message, change))
    },
    // The generator may wait for a message: its own `return` would wait too.
    return () {
      buffered.length = 0
      error = undefined
      end()
      return generator.next()
    }
  })
}
