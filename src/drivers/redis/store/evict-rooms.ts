import type { IndexedRoom } from './room-index.ts'
import type { IndexedData } from './indexed-data.ts'

/**
 * ms after a disconnect during which no room is evicted. Other nodes need up to the longest reconnect delay to subscribe to
 * their rooms again; until then, a room that they follow looks unused.
 */
export const EVICTION_DELAY = 2_000

/**
 * Evicts rooms that are not in use. Resolves with the charge of each room afterwards, 0 if it is gone. A room that can't be
 * evicted counts as in use.
 */
export async function evictRooms (data: IndexedData, rooms: readonly IndexedRoom[]): Promise<Array<[room: string, charge: number]>> {
  return await Promise.all(rooms.map(async ({ room, usedAt, charge }): Promise<[string, number]> => {
    try {
      return [room, await data.evict(room, usedAt)]
    } catch {
      return [room, Math.max(charge, 1)]
    }
  }))
}

/** Returns the first rooms whose charges together reach `bytes`. */
export function firstReaching (rooms: readonly IndexedRoom[], bytes: number): readonly IndexedRoom[] {
  let sum = 0
  const last = rooms.findIndex(({ charge }) => (sum += charge) >= bytes)
  return last < 0 ? rooms : rooms.slice(0, last + 1)
}
