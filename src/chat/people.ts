import { chatMember, type ChatMember } from '../chat-member.ts'
import { InvalidArgument, PostTooLarge } from '../errors.ts'
import { jsonOf } from '../content.ts'
import { assertMemberId } from './member-id.ts'
import { encodeMemberMessage } from '../rooms/reads/member-message.ts'
import type { Rooms } from '../rooms/rooms.ts'
import type { Roster } from '../roster.ts'

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

/** Passes data to the connections of a member. @param limit bytes @throws InvalidArgument, PostTooLarge */
export async function sendTo (roster: Roster, memberId: string, data: unknown, limit: number): Promise<boolean> {
  assertMemberId('memberId', memberId)
  const json = jsonOf(data, (name, problem) => new InvalidArgument(name, problem))
  const bytes = Buffer.byteLength(json)
  if (bytes > limit) throw new PostTooLarge(bytes, limit)
  return await roster.send(memberId, encodeMemberMessage({ direct: json }))
}
