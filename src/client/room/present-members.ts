import type { Member, Of } from '../room-events.ts'

/** Returns the present members of a room after a message, by id. */
export function updatedMembers (before: ReadonlyMap<string, Member>, message: Of<'joined' | 'presence'>): ReadonlyMap<string, Member> {
  const members = new Map(before)
  if (message.type === 'joined') members.clear()
  else for (const { id } of message.left) members.delete(id)
  for (const member of message.type === 'joined' ? message.members : message.joined) members.set(member.id, member)
  return members
}
