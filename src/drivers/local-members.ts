import { delay, type Delay } from './delay.ts'
import type { PresentMember } from '../roster.ts'

interface LocalMember { member: PresentMember, connections: number, cancelLeave: (() => void) | undefined }

/** The members of one room on this node. A member leaves when the grace period after its last connection has passed. */
export class LocalMembers {
  readonly #grace: number
  readonly #after: Delay
  /** Member id of each connection. */
  readonly #connections = new Map<string, string>()
  readonly #members = new Map<string, LocalMember>()

  /**
   * @param grace in ms
   * @param after starts a timer; tests pass their own
   */
  constructor (grace: number, after: Delay = delay) {
    this.#grace = grace
    this.#after = after
  }

  get size (): number { return this.#members.size }

  /** Returns the members in the order in which they entered. Those in their grace period are included. */
  * [Symbol.iterator] (): Iterator<PresentMember> {
    for (const { member } of this.#members.values()) yield member
  }

  get (id: string): PresentMember | undefined { return this.#members.get(id)?.member }

  has (connection: string): boolean { return this.#connections.has(connection) }

  /** Adds a connection. Returns whether a member was added, or has another name or data. A known connection changes nothing. */
  enter (connection: string, member: PresentMember): boolean {
    if (this.has(connection)) return false
    this.#connections.set(connection, member.id)
    const present = this.#members.get(member.id)
    if (present === undefined) {
      this.#members.set(member.id, { member, connections: 1, cancelLeave: undefined })
      return true
    }
    present.cancelLeave?.()
    present.cancelLeave = undefined
    present.connections++
    if (isSameMember(present.member, member)) return false
    present.member = member
    return true
  }

  /** Removes a connection. An unknown one changes nothing. @param onLeft called when the member's grace period has passed */
  leave (connection: string, onLeft: (id: string) => void): void {
    const id = this.#connections.get(connection)
    if (id === undefined) return
    this.#connections.delete(connection)
    const present = this.#members.get(id)!
    if (--present.connections > 0) return
    present.cancelLeave = this.#after(this.#grace, () => {
      this.#members.delete(id)
      onLeft(id)
    })
  }

  /** Stops the running grace periods. */
  close (): void {
    for (const { cancelLeave } of this.#members.values()) cancelLeave?.()
  }
}

/** Returns whether two states of a member are equal. */
export function isSameMember (a: PresentMember, b: PresentMember): boolean {
  return a.id === b.id && a.name === b.name && a.data === b.data
}
