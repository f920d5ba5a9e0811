import { difference, wholeList, type PresenceDiff } from './presence-diff.ts'
import type { Presence } from '../../roster.ts'

/** The presence that a member knows while it receives no reports of it. */
export class KnownPresence {
  readonly #presence: Presence
  readonly #mayLackMembers: boolean

  /** @param mayLackMembers whether the member may not have been sent all members: those that have entered since the last report */
  constructor (presence: Presence, mayLackMembers: boolean) {
    this.#presence = presence
    this.#mayLackMembers = mayLackMembers
  }

  /** Returns the change to the presence now; undefined for none. */
  changeTo (now: Presence): PresenceDiff | undefined {
    const change = difference(this.#presence, now)
    const isTold = !this.#mayLackMembers || this.#presence === now
    return isTold ? change : { ...wholeList(now), left: change?.left ?? [] }
  }
}
