import { assertFunction, assertText } from '../../argument-checks.ts'

/** Messages to the members that are attended in this process. */
export class MemoryDirectMessages {
  readonly #attendances = new Map<string, Set<{ readonly onData: (data: string) => void }>>()

  /** Returns whether the member is attended. @throws InvalidArgument */
  send (memberId: string, data: string): boolean {
    assertText('memberId', memberId)
    assertText('data', data)
    const attendances = this.#attendances.get(memberId)
    for (const { onData } of attendances ?? []) onData(data)
    return attendances !== undefined
  }

  /** Returns an unsubscribe function. @throws InvalidArgument */
  attend (memberId: string, onData: (data: string) => void): () => void {
    assertText('memberId', memberId)
    assertFunction('onData', onData)
    const attendance = { onData }
    let attendances = this.#attendances.get(memberId)
    if (attendances === undefined) this.#attendances.set(memberId, attendances = new Set())
    attendances.add(attendance)
    const added = attendances
    return () => {
      if (added.delete(attendance) && added.size === 0) this.#attendances.delete(memberId)
    }
  }

  close (): void {
    for (const attendances of this.#attendances.values()) attendances.clear()
    this.#attendances.clear()
  }
}
