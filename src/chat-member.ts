import type { MemberData } from './chat-types.ts'
import type { PresentMember } from './roster.ts'
import type { Member } from './store.ts'

/** A member as the app receives it. */
export interface ChatMember extends Member {
  /** from `authenticate`; absent if it returned none */
  readonly data?: MemberData
}

/** Returns a member as the app receives it. */
export function chatMember ({ id, name, data }: PresentMember): ChatMember {
  return data === undefined ? { id, name } : { id, name, data: JSON.parse(data) as MemberData }
}
