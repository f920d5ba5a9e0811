import type { Member, Of } from './room-events.ts'

/** Updates the present members of a room, by id. */
export function updateMembers (members: Map<string, Member>, message: Of<'joined' | 'presence'>): void {
  if (message.type === 'joined') members.clear()
  else for (const { id } of message.left) members.delete(id)
  for (const member of message.type === 'joined' ? message.members : message.joined) members.set(member.id, member)
}
