import { parsePosition, type PositionParts } from '../../position.ts'
import { parseRevision, type RevisionParts } from '../../revision.ts'
import { decodeControl } from './control-record.ts'
import { decodeChange, decodePublished, type ChangeRecord, type Content, type OfStream } from './record.ts'
import type { Changed, Controlled } from '../../../change.ts'
import type { Entry } from '../../../store.ts'

/** Entries that one call of the append script published. */
export interface PublishedEntries {
  /** Head of the room before the batch. */
  readonly before: PositionParts
  /** Time of the entries in ms. */
  readonly at: number
  readonly entries: readonly Entry[]
  /** The newest control of the room, if it ever had one. */
  readonly control: Omit<RevisionParts, 'epoch'> | undefined
}

/** Changes that one call of the amend script published. */
export interface PublishedChanges {
  /** The newest change of the room before the batch. */
  readonly before: RevisionParts
  /** Time of the changes in ms. */
  readonly at: number
  readonly changes: readonly Changed[]
}

/** A control that one call of the control script published. */
export interface PublishedControl {
  /** The newest change of the room before the control. */
  readonly before: RevisionParts
  /** Time of the control in ms. */
  readonly at: number
  readonly controlled: Controlled
}

export type Batch = PublishedEntries | PublishedChanges | PublishedControl

/** A control as published. A version without controls can't parse it: it then reads the room. */
interface OfControl { readonly control: unknown }

/**
 * Parses `<epoch>-<time>-<offset>-<time of the batch>[<content>,…]`, in a room with controls after `<number>-<time>!` of the newest one, or
 * `<epoch>-<time>-c<number>-<time of the batch>[<change>,…]`. Returns undefined for any other message. A version without changes does so
 * for the latter, a version without streams for what is `OfStream`, and a version without controls for what follows `!`: they read the room.
 */
export function parseBatch (message: Buffer): Batch | undefined {
  const start = message.indexOf('[')
  const [, number, controlledAt, before = '', time = ''] = /^(?:(\d+)-(\d+)!)?(.*)-(\d+)$/.exec(message.toString('latin1', 0, start)) ?? []
  const position = parsePosition(before)
  const revision = position === undefined ? parseRevision(before) : undefined
  const at = Number(time)
  try {
    if (position !== undefined) {
      const control = number === undefined ? undefined : { number: Number(number), at: Number(controlledAt) }
      return { before: position, at, entries: entriesOf(message.toString('utf8', start), position, at), control }
    }
    return revision === undefined ? undefined : changesOf(message.toString('utf8', start), revision, at)
  } catch {
    return undefined
  }
}

function entriesOf (json: string, { epoch, offset }: PositionParts, at: number): Entry[] {
  const contents = JSON.parse(json) as Array<Content | OfStream<Content>>
  return contents.map((content, i) => decodePublished(content, { epoch, at, offset: offset + i + 1 }))
}

function changesOf (json: string, before: RevisionParts, at: number): PublishedChanges | PublishedControl {
  const { epoch, number } = before
  const records = JSON.parse(json) as [OfControl] | ChangeRecord[]
  const [first] = records
  if (first !== undefined && 'control' in first) return { before, at, controlled: decodeControl(epoch, [number + 1, at, first.control]) }
  return { before, at, changes: (records as ChangeRecord[]).map((record, i) => decodeChange(record, { epoch, at, number: number + i + 1 })) }
}
