import { codePoints } from '../../../code-points.ts'
import { InvalidArgument } from '../../../errors.ts'
import { parsePosition } from '../../position.ts'
import { parseRevision } from '../../revision.ts'
import { bucketOf } from './buckets.ts'
import { encodeEdit } from './record.ts'
import { UNFINISHED } from './scripts/changes.ts'
import type { Amendment, Change } from '../../../change.ts'
import type { Position } from '../../../store.ts'

/** Returns the arguments of a change, as the script takes them. @throws InvalidArgument */
export function argsOf (position: Position, { key = '', hash = '', since, by, own, idle, change }: Amendment): Array<string | number> {
  const parts = parsePosition(position)
  const entry = parts === undefined ? ['', ''] : [parts.epoch, `${parts.at}-${parts.offset}`]
  const author = own === undefined ? '' : `[[${JSON.stringify(own)},`
  const isEdit = 'edit' in change
  return [isEdit ? key : '', isEdit ? hash : '', isEdit ? sinceOf(since) : '', ...entry, author, JSON.stringify(by), ...valueOf(change, by, idle)]
}

/** Returns the kind of a change, and the two arguments that depend on it. */
function valueOf (change: Change, by: string | null, idle = 0): [kind: string, value: string, more: string | number] {
  if ('delete' in change) return ['delete', '', 0]
  if ('edit' in change) {
    const { content, size } = encodeEdit(change.edit)
    return ['edit', content, size]
  }
  if ('append' in change) {
    const { append, at } = change
    return ['append', JSON.stringify(append).slice(1, -1), `${at} ${codePoints(append)} ${Buffer.byteLength(append)}`]
  }
  if ('end' in change) return ['end', change.unfinished === true ? UNFINISHED : '', idle]
  if (by === null) throw new InvalidArgument('amendment.by', 'must be the id of a member')
  return [change.on ? 'react' : 'unreact', JSON.stringify(change.react), bucketOf(by)]
}

/** Returns a revision as the script parses it. An invalid revision gets an epoch that never exists, which makes it stale. */
function sinceOf (since: string | undefined): string {
  if (since === undefined) return ''
  const revision = parseRevision(since)
  return revision === undefined ? '? 0 0' : `${revision.epoch} ${revision.at} ${revision.number}`
}
