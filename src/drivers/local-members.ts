import { delay, type Delay } from './delay.ts'
import type { PresentMember } from '../roster.ts'

/** The members of one room on this node. A member leaves when the grace period after its last connection has passed. */
export class LocalMembers {
  readonly #grace: number
  readonly #after: Delay
  /** Member id of each connection. */
  readonly #connections = new Map<string, string>()
  readonly #members = new Map<string, PresentMember>()
  /** Number of connections of a member besides its first one. Created when a member has more than one: in most rooms none has. */
  #others: Map<string, number> | undefined
  /** Members in their grace period, each with a function that cancels it. Created when a member leaves. */
  #leaving: Map<string, () => void> | undefined

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
  [Symbol.iterator] (): Iterator<PresentMember> { return this.#members.values() }

  get (id: string): PresentMember | undefined { return this.#members.get(id) }

  has (connection: string): boolean { return this.#connections.has(connection) }

  /** Adds a connection. Returns whether a member was added, or has another name or data. A known connection changes nothing. */
  enter (connection: string, member: PresentMember): boolean {
    if (this.has(connection)) return false
    const { id } = member
    this.#connections.set(connection, id)
    const present = this.#members.get(id)
    if (present !== undefined && !this.#stay(id)) this.#setOthers(id, this.#othersOf(id) + 1)
    if (present !== undefined && isSameMember(present, member)) return false
    this.#members.set(id, member)
    return true
  }

  /** Removes a connection. An unknown one changes nothing. @param onLeft called when the member's grace period has passed */
  leave (connection: string, onLeft: (id: string) => void): void {
    const id = this.#connections.get(connection)
    if (id === undefined) return
    this.#connections.delete(connection)
    const others = this.#othersOf(id)
    if (others > 0) return this.#setOthers(id, others - 1)
    const leaving = this.#leaving ??= new Map()
    leaving.set(id, this.#after(this.#grace, () => {
      leaving.delete(id)
      this.#members.delete(id)
      onLeft(id)
    }))
  }

  /** Stops the running grace periods. */
  close (): void {
    for (const cancel of this.#leaving?.values() ?? []) cancel()
  }

  /** Ends the grace period of a member that has a connection again. Returns whether there was one. */
  #stay (id: string): boolean {
    this.#leaving?.get(id)?.()
    return this.#leaving?.delete(id) === true
  }

  #othersOf (id: string): number { return this.#others?.get(id) ?? 0 }

  #setOthers (id: string, count: number): void {
    if (count === 0) this.#others?.delete(id)
    else (this.#others ??= new Map()).set(id, count)
  }
}

/** Returns whether two states of a member are equal. */
export function isSameMember (a: PresentMember, b: PresentMember): boolean {
  return a.id === b.id && a.name === b.name && a.data === b.data
}
