import { NotKept, TooManyReactions } from '../../errors.ts'
import { amended, changedRecord, checkAmendment } from '../entry-state.ts'
import { changeCursorAt, cursorAt, indexInEpoch, newestChange } from './head.ts'
import { growthOfReactions } from './reaction-text.ts'
import { digestOf, timeOf } from './record.ts'
import type { Amended, Amendment, ChangeCursor, Changed } from '../../change.ts'
import type { Position } from '../../store.ts'
import type { LmdbLog } from './log.ts'

/** The result of an amendment. `changed`: its record; undefined if it is a repeat or has no effect. */
export interface AmendResult { readonly amended: Amended, readonly changed: Changed | undefined }

/**
 * Changes an entry of a room.
 * @throws ReusedKey, StalePost, NotKept, StoreDamaged, and as `checkAmendment` does: nothing is changed then
 */
export function amend (log: LmdbLog, position: Position, amendment: Amendment): AmendResult {
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
  if (!checkAmendment(room, content, amendment) && (key === undefined || changes.remember(key))) {
    return again(state === undefined ? newestChange(head) : changeCursorAt(head, state.number, state.at))
  }
  const growth = growthOfReactions(state?.reactions, change, by)
  if (growth > 0 && !retention.hasSpaceForReactions(growth)) throw new TooManyReactions()

  const { cursor, at } = changes.add(index, now, key)
  const { body, data, state: next } = amended(content, amendment, cursor.number, at)
  records.amend(index, record, { from, body, data, state: next })
  changes.addReactionBytes(growth)
  const { number, revision } = cursor
  return { amended: { number, revision, again: false }, changed: changedRecord(entry, cursor, at, amendment, next) }
}

function again ({ number, revision }: ChangeCursor): AmendResult {
  return { amended: { number, revision, again: true }, changed: undefined }
}
