import { parsePosition, type PositionParts } from '../../position.ts'
import { decode, type Content } from './record.ts'
import type { Entry } from '../../../store.ts'

/** Entries that one call of the append script published. */
export interface PublishedBatch {
  /** Head of the room before the batch. */
  readonly before: PositionParts
  /** Time of the entries in ms. */
  readonly at: number
  readonly entries: readonly Entry[]
}

/** Parses `<epoch>-<time>-<offset>-<time of the batch>[<content>,…]`. Returns undefined for any other message. */
export function parseBatch (message: Buffer): PublishedBatch | undefined {
  const start = message.indexOf('[')
  const [, position = '', time = ''] = /^(.*)-(\d+)$/.exec(message.toString('latin1', 0, start)) ?? []
  const before = parsePosition(position)
  if (before === undefined) return undefined
  const { epoch, offset } = before
  const at = Number(time)
  try {
    const contents = JSON.parse(message.toString('utf8', start)) as Content[]
    return { before, at, entries: contents.map((content, i) => decode(content, { epoch, at, offset: offset + i + 1 })) }
  } catch {
    return undefined
  }
}
