import { may, type Hooks } from '../hooks.ts'
import type { Membership } from './membership.ts'
import type { PeerRestrictions } from './peer-restrictions.ts'
import type { Roster } from '../roster.ts'

/** Sends a typing signal of a member, unless it may not post in the room. Returns undefined if no hook has to run. */
export function signalTyping (membership: Membership, restrictions: PeerRestrictions, hooks: Hooks, roster: Roster): Promise<void> | undefined {
  const { forms: { member }, room } = membership
  if (membership.isSuspended) return undefined
  const isAllowed = hooks.authorize === undefined ? true : membership.isTypingAllowed
  if (isAllowed !== undefined) {
    if (isAllowed) send(membership, restrictions, roster)
    return undefined
  }
  const { questions } = membership
  return may(hooks, { member, action: 'post', room }).then((answer) => {
    // The answer may be from before the rights of the member were in question.
    if (questions !== membership.questions) return
    membership.rememberTyping(answer)
    if (answer && !membership.hasEnded) send(membership, restrictions, roster)
  })
}

function send ({ member, room }: Membership, restrictions: PeerRestrictions, roster: Roster): void {
  try {
    restrictions.assertMay('post', room)
  } catch {
    return
  }
  roster.signal(room, { typing: member, on: true })
}
