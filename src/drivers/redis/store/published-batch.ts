import { parsePosition, type PositionParts } from '../../position.ts'
import { parseRevision, type RevisionParts } from '../../revision.ts'
import { decodeChange, decodePublished, type ChangeRecord, type Content, type OfStream } from './record.ts'
import type { Changed } from '../../../change.ts'
import type { Entry } from '../../../store.ts'

/** Entries that one call of the append script published. */
export interface PublishedEntries {
  /** Head of the room before the batch. */
  readonly before: PositionParts
  /** Time of the entries in ms. */
  readonly at: number
  readonly entries: readonly Entry[]
  readonly changes?: undefined
}

/** Changes that one call of the amend script published. */
export interface PublishedChanges {
  /** The newest change of the room before the batch. */
  readonly before: RevisionParts
  /** Time of the changes in ms. */
  readonly at: number
  readonly changes: readonly Changed[]
}

/**
 * Parses `<epoch>-<time>-<offset>-<time of the batch>[<content>,…]` or `<epoch>-<time>-c<number>-<time of the batch>[<change>,…]`.
 * Returns undefined for any other message. A version without changes does so for the latter, and a version without streams for what is
 * `OfStream`: both read the room.
 */
export function parseBatch (message: Buffer): PublishedEntries | PublishedChanges | undefined {
  const start = message.indexOf('[')
  const [, before = '', time = ''] = /^(.*)-(\d+)$/.exec(message.toString('latin1', 0, start)) ?? []
  const position = parsePosition(before)
  const revision = position === undefined ? parseRevision(before) : undefined
  const at = Number(time)
  try {
    if (position !== undefined) {
      const { epoch, offset } = position
      const contents = JSON.parse(message.toString('utf8', start)) as Array<Content | OfStream<Content>>
      return { before: position, at, entries: contents.map((content, i) => decodePublished(content, { epoch, at, offset: offset + i + 1 })) }
    }
    if (revision === undefined) return undefined
    const { epoch, number } = revision
    const records = JSON.parse(message.toString('utf8', start)) as ChangeRecord[]
    return { before: revision, at, changes: records.map((record, i) => decodeChange(record, { epoch, at, number: number + i + 1 })) }
  } catch {
    return undefined
  }
}
