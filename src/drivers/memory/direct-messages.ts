import { assertFunction, assertText } from '../../argument-checks.ts'

interface Attendance { readonly onData: (data: string) => void }

/** Messages to the members that are attended in this process. */
export class MemoryDirectMessages {
  /** By member. A node attends a member once: an array is smaller than a set. */
  readonly #attendances = new Map<string, readonly Attendance[]>()

  /** Returns whether the member is attended. @throws InvalidArgument */
  send (memberId: string, data: string): boolean {
    assertText('memberId', memberId)
    assertText('data', data)
    const attendances = this.#attendances.get(memberId)
    for (const attendance of attendances ?? []) {
      if (this.#attendances.get(memberId)?.includes(attendance)) attendance.onData(data)
    }
    return attendances !== undefined
  }

  /** Returns an unsubscribe function. @throws InvalidArgument */
  attend (memberId: string, onData: (data: string) => void): () => void {
    assertText('memberId', memberId)
    assertFunction('onData', onData)
    const attendance = { onData }
    this.#attendances.set(memberId, [...this.#attendances.get(memberId) ?? [], attendance])
    return () => {
      const others = this.#attendances.get(memberId)?.filter((other) => other !== attendance) ?? []
      if (others.length > 0) this.#attendances.set(memberId, others)
      else this.#attendances.delete(memberId)
    }
  }

  close (): void {
    this.#attendances.clear()
  }
}
