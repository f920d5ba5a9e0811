import type { Member } from './member.ts'
import type { Roster } from './roster/roster.ts'

/** Everyone connected to this node, by id: one member may have several connections. */
export class Members {
  readonly #byId = new Map<string, Set<Member>>()
  readonly #stop: () => void

  constructor (roster: Roster) {
    this.#stop = roster.onRestrict((who, what) => {
      for (const member of this.#byId.get(who) ?? []) member.restrict(what)
    })
  }

  get size (): number { return this.#byId.size }

  add (member: Member): void {
    const { identity: { id }, connection } = member
    const members = this.#byId.get(id) ?? new Set()
    this.#byId.set(id, members.add(member))
    connection.onClose(() => {
      members.delete(member)
      if (members.size === 0 && this.#byId.get(id) === members) this.#byId.delete(id)
    })
  }

  close (): void { this.#stop() }
}
