/** The rooms charged to one address. rooms: their number. lingering: names of those without members, the longest empty first. */
interface Share { rooms: number, readonly lingering: Set<string> }

/**
 * Counts the open rooms that are charged to each address, so that no address can use all rooms of the process. The app and
 * connections without an address have the empty address, which isn't counted.
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
