import type { PresenceDiff } from './presence-diff.ts'
import type { Signal } from '../../roster.ts'
import type { Member } from '../../store.ts'

/** A signal of a member. */
export type MemberSignal = Extract<Signal, { readonly typing: Member }> | { readonly from: Member, readonly data: string }

/** An event that a room delivers now and that is stored nowhere: a signal of a member, or a change of presence. */
export type RoomSignal = MemberSignal | { readonly presence: PresenceDiff }
