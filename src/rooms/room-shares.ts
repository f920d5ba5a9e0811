/** The rooms charged to one address. lingering: those without members, the longest empty first. */
interface Share { rooms: number, readonly lingering: Set<string> }

/**
 * Counts the open rooms that are charged to each address, so that no address takes all rooms of the process. The empty
 * address has no bound: it stands for the app, and for connections without an address.
 */
export class RoomShares {
  readonly #shares = new Map<string, Share>()

  /** Returns the number of rooms charged to an address. */
  of (address: string): number { return this.#shares.get(address)?.rooms ?? 0 }

  /** Returns the room of an address that has had no members for longest. */
  oldestLingering (address: string): string | undefined {
    return this.#shares.get(address)?.lingering.values().next().value
  }

  charge (address: string): void {
    if (address === '') return
    const share = this.#shares.get(address)
    if (share === undefined) this.#shares.set(address, { rooms: 1, lingering: new Set() })
    else share.rooms++
  }

  release (address: string, room: string): void {
    const share = this.#shares.get(address)
    if (share === undefined) return
    share.lingering.delete(room)
    if (--share.rooms === 0) this.#shares.delete(address)
  }

  linger (address: string, room: string): void { this.#shares.get(address)?.lingering.add(room) }

  /** Called when a lingering room has a member again. */
  revive (address: string, room: string): void { this.#shares.get(address)?.lingering.delete(room) }
}
