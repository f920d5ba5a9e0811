import type { Sender } from '../room-events.ts'
import { idleTimer } from '../timer.ts'

/** ms after the last report that a member is typing. The report of the end may be lost. */
const TYPING_TIMEOUT = 6_000

/** The members that are typing in a room. */
export class TypingMembers {
  readonly #members = new Map<string, { readonly member: Sender, readonly timer: ReturnType<typeof setTimeout> }>()
  readonly #onTimeout: () => void

  constructor (onTimeout: () => void) {
    this.#onTimeout = onTimeout
  }

  get list (): Sender[] { return Array.from(this.#members.values(), ({ member }) => member) }

  start ({ id, name }: Sender): void {
    const { member, timer } = this.#members.get(id) ?? { member: { id, name } }
    clearTimeout(timer)
    this.#members.set(id, {
      member,
      timer: idleTimer(() => {
        this.stop(id)
        this.#onTimeout()
      }, TYPING_TIMEOUT)
    })
  }

  /** @param id of one member; default: all */
  stop (id?: string): void {
    for (const each of id === undefined ? this.#members.keys() : [id]) {
      clearTimeout(this.#members.get(each)?.timer)
      this.#members.delete(each)
    }
  }
}
