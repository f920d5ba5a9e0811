import type { ReadPositions } from '../rooms/read-positions.ts'
import type { ReadPosition, Store } from '../store.ts'

/** A room in which a member has a read position. unread: number of messages after `position`. */
export interface UnreadRoom extends Pick<ReadPosition, 'room' | 'position'> { readonly unread: number }

/** Number of rooms that are read at the same time. */
const CONCURRENT = 100

/** Resolves with the rooms in which a member has a read position, in the order of their names. Rejects as the store does. */
export async function unreadOf (memberId: string, readPositions: ReadPositions, store: Pick<Store, 'read'>): Promise<UnreadRoom[]> {
  const positions = await readPositions.list(memberId)
  const rooms: UnreadRoom[] = []
  while (rooms.length < positions.length) {
    rooms.push(...await Promise.all(positions.slice(rooms.length, rooms.length + CONCURRENT).map(async ({ room, position }) => {
      const { unread } = await store.read(room, { limit: 0, maxBytes: 0, readPosition: position, use: false })
      return { room, unread: unread!, position }
    })))
  }
  return rooms
}
