import { assertFunction, assertText } from '../../argument-checks.ts'
import { listOf, withoutValue, withValue, type OneOrMore } from '../../one-or-more.ts'

interface Attendance { readonly onData: (data: string) => void }

/** Messages to the members that are attended in this process. */
export class MemoryDirectMessages {
  /** By member. A node attends a member once. */
  readonly #attendances = new Map<string, OneOrMore<Attendance>>()

  /** Returns whether the member is attended. @throws InvalidArgument */
  send (memberId: string, data: string): boolean {
    assertText('memberId', memberId)
    assertText('data', data)
    const attendances = this.#attendances.get(memberId)
    for (const attendance of listOf(attendances)) {
      if (listOf(this.#attendances.get(memberId)).includes(attendance)) attendance.onData(data)
    }
    return attendances !== undefined
  }

  /** Returns an unsubscribe function. @throws InvalidArgument */
  attend (memberId: string, onData: (data: string) => void): () => void {
    assertText('memberId', memberId)
    assertFunction('onData', onData)
    const attendance = { onData }
    this.#attendances.set(memberId, withValue(this.#attendances.get(memberId), attendance))
    return () => {
      const others = withoutValue(this.#attendances.get(memberId), attendance)
      if (others !== undefined) this.#attendances.set(memberId, others)
      else this.#attendances.delete(memberId)
    }
  }

  close (): void {
    this.#attendances.clear()
  }
}
