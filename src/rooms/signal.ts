import type { PresenceDiff } from './presence-diff.ts'
import type { Signal } from '../roster.ts'

/** An event that a room delivers now and that is stored nowhere: a signal of the roster, or a change of its presence. */
export type RoomSignal = Signal | { readonly presence: PresenceDiff }
