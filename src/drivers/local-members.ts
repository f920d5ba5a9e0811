import type { Member } from '../store.ts'

/** Calls a function after a delay in ms. Returns a function that cancels the call. */
export type Delay = (ms: number, run: () => void) => () => void

interface LocalMember { member: Member, connections: number, cancelLeave: (() => void) | undefined }

/** Members of one room that are on this node. A member leaves when a grace period passes after its last connection left. */
export class LocalMembers {
  readonly #grace: number
  readonly #delay: Delay
  /** Member id of each connection. */
  readonly #connections = new Map<string, string>()
  readonly #members = new Map<string, LocalMember>()

  /** @param grace in ms @param delay the timer; tests pass their own */
  constructor (grace: number, delay: Delay = timer) {
    this.#grace = grace
    this.#delay = delay
  }

  get size (): number { return this.#members.size }

  /** Returns the members in the order in which they entered. Those in their grace period are included. */
  * [Symbol.iterator] (): Iterator<Member> {
    for (const { member } of this.#members.values()) yield member
  }

  get (id: string): Member | undefined { return this.#members.get(id)?.member }

  /** Adds a connection. Returns whether the members changed: one entered, or has another name. A known connection is ignored. */
  enter (connection: string, member: Member): boolean {
    if (this.#connections.has(connection)) return false
    this.#connections.set(connection, member.id)
    const present = this.#members.get(member.id)
    if (present === undefined) {
      this.#members.set(member.id, { member, connections: 1, cancelLeave: undefined })
      return true
    }
    present.cancelLeave?.()
    present.cancelLeave = undefined
    present.connections++
    if (present.member.name === member.name) return false
    present.member = member
    return true
  }

  /** Removes a connection. An unknown one is ignored. @param onLeft called when the member's grace period has passed */
  leave (connection: string, onLeft: (id: string) => void): void {
    const id = this.#connections.get(connection)
    if (id === undefined) return
    this.#connections.delete(connection)
    const present = this.#members.get(id)!
    if (--present.connections > 0) return
    present.cancelLeave = this.#delay(this.#grace, () => {
      this.#members.delete(id)
      onLeft(id)
    })
  }

  /** Stops the running grace periods. */
  close (): void {
    for (const { cancelLeave } of this.#members.values()) cancelLeave?.()
  }
}

/** A timer that doesn't keep the process alive. */
function timer (ms: number, run: () => void): () => void {
  const timeout = setTimeout(run, ms).unref()
  return () => clearTimeout(timeout)
}
