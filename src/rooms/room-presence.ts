import type { Membership } from './membership/membership.ts'
import { difference, type PresenceDiff } from './batch/presence-diff.ts'
import type { Presence } from '../roster.ts'

/** Maximum number of listed members, the same as in the rosters of this package. Another roster may list fewer or more. */
const LISTED = 100

/** The presence of a room: the last report of the roster, and the members that entered on this node since. */
export class RoomPresence {
  #reported: Presence = { members: [], count: 0, stale: false }
  /** `#reported` with the members that entered since. */
  #current = this.#reported
  /** Memberships that the roster hasn't reported yet and that haven't ended. Undefined until one enters after a report. */
  #entered: Set<Membership> | undefined
  /** Ids of the members that entered since, also of those whose memberships have ended. */
  #ids: Set<string> | undefined

  get current (): Presence { return this.#current }

  /** Called when a membership of this node has entered the roster. */
  enter (membership: Membership): void {
    const { forms: { listed: member } } = membership
    const { members, count } = this.#reported
    // A capped list may count a member without listing it.
    if (count > members.length || members.some(({ id }) => id === member.id)) return
    this.#entered = (this.#entered ?? new Set()).add(membership)
    if (this.#ids?.has(member.id) === true) return
    this.#ids = (this.#ids ?? new Set()).add(member.id)
    const { members: listed, count: before, stale } = this.#current
    this.#current = { members: listed.length < LISTED ? [...listed, member] : listed, count: before + 1, stale }
  }

  /** Called when a membership has ended. Its member is listed until the next report, as during the grace period of the roster. */
  leave (membership: Membership): void { this.#entered?.delete(membership) }

  /**
   * Called with a report of the roster. Returns the change for all members: those that joined before a member entered weren't
   * sent it, and those that joined later were. Returns undefined for none.
   */
  report (now: Presence): PresenceDiff | undefined {
    const change = difference(this.#reported, now)
    const before = this.#current
    const entered = this.#entered
    this.#reported = this.#current = now
    this.#entered = this.#ids = undefined
    for (const membership of entered ?? []) this.enter(membership)
    const left = difference(before, this.#current)?.left ?? []
    if (change === undefined && left.length === 0) return undefined
    return { joined: change?.joined ?? [], left, count: now.count, ...now.stale && { stale: true } }
  }
}
