import { addressOf } from '../../connection/address.ts'
import type { Peer } from './peer.ts'
import type { Roster } from '../../roster.ts'

/** The peers of this node, by member id. A member may have several. */
export class Peers {
  readonly #byId = new Map<string, Peer | readonly Peer[]>()
  readonly #unsubscribe: () => void

  constructor (roster: Roster) {
    this.#unsubscribe = roster.onRestrict((subject, restriction) => {
      const address = addressOf(subject)
      const peers = address === undefined ? this.#ofMember(subject) : this.#ofAddress(address)
      for (const peer of peers) peer.restrictions.apply(restriction)
    })
  }

  get size (): number { return this.#byId.size }

  add (peer: Peer): void {
    const others = this.#ofMember(peer.member.id)
    this.#byId.set(peer.member.id, others.length === 0 ? peer : [...others, peer])
  }

  delete (peer: Peer): void {
    const { id } = peer.member
    const others = this.#ofMember(id).filter((other) => other !== peer)
    if (others.length === 0) this.#byId.delete(id)
    else this.#byId.set(id, others)
  }

  close (): void { this.#unsubscribe() }

  #ofAddress (address: string): readonly Peer[] {
    return [...this.#byId.values()].flat().filter(({ connection }) => connection.address.name === address)
  }

  #ofMember (id: string): readonly Peer[] {
    return [this.#byId.get(id) ?? []].flat()
  }
}
