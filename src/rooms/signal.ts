import type { PresenceDiff } from './presence-diff.ts'
import type { Member } from '../store.ts'

/** An event that a room delivers now and that is stored nowhere: a member is typing, or a change of presence. */
export type RoomSignal = { readonly typing: Member } | { readonly presence: PresenceDiff }
