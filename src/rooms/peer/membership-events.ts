import { run, type Hooks } from '../../hooks.ts'
import type { Membership } from '../membership/membership.ts'
import { diagnostics, type MembershipChanged } from '../../observability/diagnostics.ts'

/** Reports that a member has joined a room. Resolves when `onJoin` has run. @param chat for the diagnostics @throws HookFailed */
export async function reportJoined (membership: Membership, hooks: Hooks, chat: string): Promise<void> {
  membership.announce()
  if (diagnostics.joined.hasSubscribers) diagnostics.joined.publish(changeOf(membership, chat))
  await run('onJoin', () => hooks.onJoin?.(membership.forms.member, membership.room))
}

/** Reports that a member has left a room that it had joined. An error of `onLeave` closes the connection. */
export function reportLeft (membership: Membership, hooks: Hooks, chat: string): void {
  if (!membership.isAnnounced) return
  if (diagnostics.left.hasSubscribers) diagnostics.left.publish(changeOf(membership, chat))
  run('onLeave', () => hooks.onLeave?.(membership.forms.member, membership.room))
    .catch((error: unknown) => membership.connection.fail(error))
}

function changeOf ({ connection, member, room }: Membership, chat: string): MembershipChanged { return { chat, connection, member, room } }
