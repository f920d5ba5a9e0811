import { assertFunction, assertText } from '../../argument-checks.ts'
import { listOf, withoutValue, withValue, type OneOrMore } from '../../one-or-more.ts'

/** Has an object of its own, because the same listener may attend twice. */
class Attendance {
  readonly receive: (data: string) => void

  constructor (receive: (data: string) => void) {
    this.receive = receive
  }
}

/** Messages to the members that are attended in this process. */
export class MemoryDirectMessages {
  /** By member. */
  readonly #attendances = new Map<string, OneOrMore<Attendance>>()

  /** Returns whether the member is attended. @throws InvalidArgument */
  send (memberId: string, data: string): boolean {
    assertText('memberId', memberId)
    assertText('data', data)
    const attendances = this.#attendances.get(memberId)
    for (const attendance of listOf(attendances)) {
      if (listOf(this.#attendances.get(memberId)).includes(attendance)) attendance.receive(data)
    }
    return attendances !== undefined
  }

  /** Returns an unsubscribe function. @throws InvalidArgument */
  attend (memberId: string, onData: (data: string) => void): () => void {
    assertText('memberId', memberId)
    assertFunction('onData', onData)
    const attendance = new Attendance(onData)
    this.#attendances.set(memberId, withValue(this.#attendances.get(memberId), attendance))
    // Bound, because an arrow function and its scope take 32 bytes more for each member.
    return this.#leave.bind(this, memberId, attendance)
  }

  close (): void {
    this.#attendances.clear()
  }

  #leave (memberId: string, attendance: Attendance): void {
    const others = withoutValue(this.#attendances.get(memberId), attendance)
    if (others !== undefined) this.#attendances.set(memberId, others)
    else this.#attendances.delete(memberId)
  }
}
