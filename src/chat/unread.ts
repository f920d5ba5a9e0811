import { assertProperties } from '../argument-checks.ts'
import { assertMemberId } from './member-id.ts'
import { assertRoom } from './room-name.ts'
import { InvalidArgument } from '../errors.ts'
import type { ReadPositions } from '../rooms/reads/read-positions.ts'
import { MAX_READ_POSITIONS, NOTHING_READ, type Position, type Store } from '../store.ts'

/** Selects the rooms whose unread messages are counted. */
export interface UnreadQuery {
  /** at most 1,000 names; default: the rooms in which the member has a read position */
  readonly rooms?: readonly string[] | undefined
}

/** The number of unread messages of a member in a room. */
export interface UnreadRoom {
  readonly room: string
  /** number of messages after `position`; without it, of all kept messages */
  readonly unread: number
  /** the read position; absent if there is none */
  readonly position?: Position | undefined
}

/** Number of rooms that are read at the same time. */
const CONCURRENT = 100

/**
 * Counts the unread messages of a member in the given rooms. Without given rooms, in the rooms in which it has a read position, in the
 * order of their names. Rejects as the store does.
 * @param readPositions undefined if no hook names the members
 * @throws InvalidArgument, InvalidRoom
 */
export async function unreadOf (
  memberId: string, query: UnreadQuery, readPositions: Pick<ReadPositions, 'list'> | undefined, store: Pick<Store, 'read'>
): Promise<UnreadRoom[]> {
  assertMemberId('memberId', memberId)
  const names = roomsOf(query)
  const positions = await readPositions?.list(memberId) ?? []
  const known = new Map(positions.map(({ room, position }) => [room, position]))
  const selected = names ?? [...known.keys()]
  const counted: UnreadRoom[] = []
  while (counted.length < selected.length) {
    counted.push(...await Promise.all(selected.slice(counted.length, counted.length + CONCURRENT).map(async (room) => {
      const position = known.get(room)
      const { unread } = await store.read(room, { limit: 0, maxBytes: 0, readPosition: position ?? NOTHING_READ, use: false })
      return { room, unread: unread!, ...position !== undefined && { position } }
    })))
  }
  return counted
}

/** Returns a copy of the rooms of a query, because the app may change its array. @throws InvalidArgument, InvalidRoom */
function roomsOf (query: UnreadQuery): readonly string[] | undefined {
  assertProperties('query', query, ['rooms'])
  const { rooms } = query
  if (rooms === undefined) return undefined
  if (!Array.isArray(rooms) || rooms.length > MAX_READ_POSITIONS) throw new InvalidArgument('query.rooms', `must be an array of at most ${MAX_READ_POSITIONS} room names`)
  const copy = Array.from<string>(rooms)
  for (const room of copy) assertRoom(room)
  return copy
}
