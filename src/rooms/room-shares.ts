/** What is charged to one address. lingering: those of its rooms that nobody is in any more, the oldest first. */
interface Share { rooms: number, readonly lingering: Set<string> }

/**
 * Which address each open room is charged to, so that no address takes all rooms of the process. The empty address, of
 * the app itself and of connections without one, has no bound.
 */
export class RoomShares {
  readonly #shares = new Map<string, Share>()

  /** Rooms charged to an address. */
  of (address: string): number { return this.#shares.get(address)?.rooms ?? 0 }

  /** The room of an address that nobody has been in for longest. */
  oldestLingering (address: string): string | undefined {
    return this.#shares.get(address)?.lingering.values().next().value
  }

  charge (address: string): void {
    if (address === '') return
    const share = this.#shares.get(address)
    if (share === undefined) this.#shares.set(address, { rooms: 1, lingering: new Set() })
    else share.rooms++
  }

  giveBack (address: string, room: string): void {
    const share = this.#shares.get(address)
    if (share === undefined) return
    share.lingering.delete(room)
    if (--share.rooms === 0) this.#shares.delete(address)
  }

  linger (address: string, room: string): void { this.#shares.get(address)?.lingering.add(room) }

  /** Somebody is in the room again. */
  revive (address: string, room: string): void { this.#shares.get(address)?.lingering.delete(room) }
}
