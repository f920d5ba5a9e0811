import type { Member } from './member.ts'
import type { Roster } from './roster/roster.ts'

/** Everyone connected to this node, by id: one member may have several connections. */
export class Members {
  readonly #byId = new Map<string, readonly Member[]>()
  readonly #stop: () => void

  constructor (roster: Roster) {
    this.#stop = roster.onRestrict((who, what) => {
      for (const member of this.#byId.get(who) ?? []) member.restrict(what)
    })
  }

  get size (): number { return this.#byId.size }

  add (member: Member): void {
    const { identity: { id }, connection } = member
    this.#byId.set(id, [...this.#byId.get(id) ?? [], member])
    connection.onClose(() => {
      const others = this.#byId.get(id)!.filter((other) => other !== member)
      if (others.length > 0) this.#byId.set(id, others)
      else this.#byId.delete(id)
    })
  }

  close (): void { this.#stop() }
}
