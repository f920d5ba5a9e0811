import { assertFunction, assertText } from '../../argument-checks.ts'
import { listOf, withoutValue, withValue, type OneOrMore } from '../../one-or-more.ts'

type Listener = (data: string) => void

/** Messages to the members that are attended in this process. */
export class MemoryDirectMessages {
  /** By member. A node attends a member once. */
  readonly #listeners = new Map<string, OneOrMore<Listener>>()

  /** Returns whether the member is attended. @throws InvalidArgument */
  send (memberId: string, data: string): boolean {
    assertText('memberId', memberId)
    assertText('data', data)
    const listeners = this.#listeners.get(memberId)
    for (const listener of listOf(listeners)) {
      if (listOf(this.#listeners.get(memberId)).includes(listener)) listener(data)
    }
    return listeners !== undefined
  }

  /** Returns an unsubscribe function. @throws InvalidArgument */
  attend (memberId: string, onData: Listener): () => void {
    assertText('memberId', memberId)
    assertFunction('onData', onData)
    this.#listeners.set(memberId, withValue(this.#listeners.get(memberId), onData))
    // Bound, because an arrow function and its scope take 32 bytes more for each member.
    return this.#leave.bind(this, memberId, onData)
  }

  close (): void {
    this.#listeners.clear()
  }

  #leave (memberId: string, onData: Listener): void {
    const others = withoutValue(this.#listeners.get(memberId), onData)
    if (others !== undefined) this.#listeners.set(memberId, others)
    else this.#listeners.delete(memberId)
  }
}
