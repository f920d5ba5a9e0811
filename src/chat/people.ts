import { chatMember, type ChatMember } from '../chat-member.ts'
import type { Rooms } from '../rooms/rooms.ts'

/** The members of a room, on all nodes. */
export interface RoomMembers {
  /** At most 100. Each member is listed once. */
  readonly members: readonly ChatMember[]
  /** The exact number of members. */
  readonly count: number
  /** `true` if the state may be out of date, because the backend can't be reached. */
  readonly stale: boolean
}

/** Resolves with the members of a room. @throws TooManyRooms */
export async function membersOf (rooms: Rooms, room: string): Promise<RoomMembers> {
  const { members, count, stale } = await rooms.presence(room)
  return { members: members.map(chatMember), count, stale }
}
