import { addressOf } from '../../connection/address.ts'
import { listOf, withoutValue, withValue, type OneOrMore } from '../../one-or-more.ts'
import type { Peer } from './peer.ts'
import type { Roster } from '../../roster.ts'

/** The peers of this node, by member id. A member may have several. */
export class Peers {
  readonly #byId = new Map<string, OneOrMore<Peer>>()
  readonly #unsubscribe: () => void

  constructor (roster: Roster) {
    this.#unsubscribe = roster.onRestrict((subject, restriction) => {
      const address = addressOf(subject)
      const peers = address === undefined ? listOf(this.#byId.get(subject)) : this.#ofAddress(address)
      for (const peer of peers) peer.restrictions.apply(restriction)
    })
  }

  get size (): number { return this.#byId.size }

  add (peer: Peer): void {
    const { id } = peer.member
    this.#byId.set(id, withValue(this.#byId.get(id), peer))
  }

  delete (peer: Peer): void {
    const { id } = peer.member
    const others = withoutValue(this.#byId.get(id), peer)
    if (others === undefined) this.#byId.delete(id)
    else this.#byId.set(id, others)
  }

  close (): void { this.#unsubscribe() }

  #ofAddress (address: string): readonly Peer[] {
    return [...this.#byId.values()].flatMap(listOf).filter(({ connection }) => connection.address.name === address)
  }
}
