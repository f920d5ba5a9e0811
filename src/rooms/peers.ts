import { addressOf } from '../connection/address.ts'
import type { Peer } from './peer.ts'
import type { Roster } from '../roster.ts'

/** Everyone connected to this node, by id: one member may have several connections. */
export class Peers {
  readonly #byId = new Map<string, Peer | readonly Peer[]>()
  readonly #stop: () => void

  constructor (roster: Roster) {
    this.#stop = roster.onRestrict((who, what) => {
      const address = addressOf(who)
      for (const member of address === undefined ? this.#of(who) : this.#at(address)) member.restrictions.apply(what)
    })
  }

  get size (): number { return this.#byId.size }

  add (member: Peer): void {
    const others = this.#of(member.member.id)
    this.#byId.set(member.member.id, others.length === 0 ? member : [...others, member])
  }

  delete (member: Peer): void {
    const { id } = member.member
    const others = this.#of(id).filter((other) => other !== member)
    if (others.length === 0) this.#byId.delete(id)
    else this.#byId.set(id, others)
  }

  close (): void { this.#stop() }

  #at (address: string): readonly Peer[] {
    return [...this.#byId.values()].flat().filter(({ connection }) => connection.address.name === address)
  }

  #of (id: string): readonly Peer[] {
    return [this.#byId.get(id) ?? []].flat()
  }
}
