import { Forbidden } from '../../errors.ts'
import { may, type Hooks } from '../../hooks.ts'
import type { Membership } from '../membership/membership.ts'
import type { PeerRestrictions } from './peer-restrictions.ts'
import type { Roster, Signal } from '../../roster.ts'

/**
 * Sends a signal of a member to its room, if the member may post there. A refused `typing` is dropped: it has no answer, and clients
 * send it regularly. So is a signal while the rights of the member are in question. Returns undefined if no hook has to run.
 * @throws Forbidden, Muted; HookFailed through the promise
 */
export function sendSignal (
  signal: Signal, membership: Membership, restrictions: PeerRestrictions, hooks: Hooks, roster: Roster
): Promise<void> | undefined {
  const { forms: { member }, room } = membership
  if (membership.isSuspended) return undefined
  const isAllowed = hooks.authorize === undefined ? true : membership.rights.isSignalAllowed
  if (isAllowed !== undefined) {
    send(signal, isAllowed, room, restrictions, roster)
    return undefined
  }
  const { questions } = membership
  return may(hooks, { member, action: 'post', room }).then((answer) => {
    // The answer may be from before the rights of the member were in question.
    if (questions !== membership.questions) return
    membership.rights.rememberSignals(answer)
    if (!membership.hasEnded) send(signal, answer, room, restrictions, roster)
  })
}

function send (signal: Signal, isAllowed: boolean, room: string, restrictions: PeerRestrictions, roster: Roster): void {
  try {
    if (!isAllowed) throw new Forbidden('signal', room)
    restrictions.assertMay('post', room)
  } catch (error) {
    if ('typing' in signal) return
    throw error
  }
  roster.signal(room, signal)
}
