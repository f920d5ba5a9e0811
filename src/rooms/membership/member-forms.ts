import { chatMember, type ChatMember } from '../../chat-member.ts'
import type { PresentMember } from '../../roster.ts'
import type { Member } from '../../store.ts'

/** The forms of one member, created once for each connection. They are one object for a member without data. */
export interface MemberForms {
  /** The sender of its messages: id and name alone, so that posts don't carry its data. */
  readonly sender: Member
  /** As its rooms list it: with its data as JSON text. */
  readonly listed: PresentMember
  /** As the app receives it: with its data. */
  readonly member: ChatMember
}

export function memberForms (listed: PresentMember): MemberForms {
  const { id, name, data } = listed
  if (data === undefined) return { sender: listed, listed, member: listed as Member }
  return { sender: { id, name }, listed, member: chatMember(listed) }
}
