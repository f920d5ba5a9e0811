import { NotKept, TooManyReactions } from '../../errors.ts'
import { amended, changedRecord, checkAmendment } from '../entry-state.ts'
import { changeCursorAt, cursorAt, indexInEpoch, newestChange } from './head.ts'
import { growthOfReactions } from './reaction-text.ts'
import { digestOf, entryOf, timeOf } from './record.ts'
import type { Amended, Amendment, ChangeCursor, Changed } from '../../change.ts'
import type { Position } from '../../store.ts'
import type { LmdbLeases } from './leases.ts'
import type { LmdbLog } from './log.ts'

/** The result of an amendment. `changed`: its record; undefined if it is a repeat or has no effect. */
export interface AmendResult { readonly amended: Amended, readonly changed: Changed | undefined }

/**
 * Changes an entry of a room.
 * @throws ReusedKey, StalePost, NotKept, StoreDamaged, and as `checkAmendment` does: nothing is changed then
 */
export function amend (log: LmdbLog, position: Position, amendment: Amendment, leases: LmdbLeases): AmendResult {
  const { room, head, records, changes, retention } = log
  if (retention.damage !== undefined) throw retention.damage
  const { by, change, hash, since } = amendment
  const now = Date.now()
  const key = amendment.key === undefined || !('edit' in change) ? undefined : { digest: digestOf(amendment.key), hash }
  const repeated = changes.findRepeat(key, since)
  if (repeated !== undefined) return again(repeated)
  const index = indexInEpoch(head, position)
  if (!(index >= head.first)) throw new NotKept()
  const record = records.entryAt(index)
  const entry = cursorAt(head, index, timeOf(record))
  if (entry.position !== position || retention.isTooOld(timeOf(record), now)) throw new NotKept()
  const content = records.contentAt(index, record)
  const { from, state } = content
  const hasEffect = checkAmendment(room, content, amendment, () => leases.idleTime(room, index))
  if ('append' in change && change.at === state?.streamed) leases.renew(room, index)
  if (!hasEffect && (key === undefined || changes.remember(key))) {
    return again(state === undefined || state.number === 0 ? newestChange(head) : changeCursorAt(head, state.number, state.at))
  }
  const growth = growthOfReactions(state?.reactions, change, by)
  if (growth > 0 && !retention.hasSpaceForReactions(growth)) throw new TooManyReactions()

  const { cursor, at } = changes.add(index, now, key)
  const made = { from, ...amended(content, amendment, cursor.number, at) }
  records.amend(index, record, made)
  changes.addReactionBytes(growth)
  const { number, revision } = cursor
  const ended = () => entryOf(entry, timeOf(record), made, made.state, head.epoch)
  return { amended: { number, revision, again: false }, changed: changedRecord(entry, cursor, at, amendment, made.state, ended) }
}

function again ({ number, revision }: ChangeCursor): AmendResult {
  return { amended: { number, revision, again: true }, changed: undefined }
}
