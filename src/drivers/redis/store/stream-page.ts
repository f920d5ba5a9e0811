import type { PositionParts } from '../../position.ts'
import type { RevisionParts } from '../../revision.ts'
import { decodeControl, invalidControl, type ControlRecord } from './control-record.ts'
import { decode, withStoredState, type Content, type State } from './record.ts'
import type { Controlled } from '../../../change.ts'
import type { Entry } from '../../../store.ts'

/** The newest entry and the newest change of a room. */
export interface RoomHead { readonly position: PositionParts, readonly change: RevisionParts }

/** Entries of a room as one call of the read script returned them. */
export interface StreamPage {
  readonly entries: readonly Entry[]
  readonly complete: boolean
  readonly more: boolean
  readonly head: RoomHead
  /** Beginning of the room's current epoch. */
  readonly beginning: PositionParts
  /** The entries up to the position of the query that changed after its revision, in the order of their last change. */
  readonly changed: readonly Entry[]
  readonly moreChanged: boolean
  /** The oldest kept entry, if an entry that changed was removed. */
  readonly oldest: PositionParts | undefined
  /** Number of the kept entries after the read position of the query; undefined if it has none. */
  readonly unread: number | undefined
  /** The controls after the revision of the query, oldest first, if it selects them. */
  readonly controls: readonly Controlled[]
}

/** Selects the entries of a page. `position`: undefined if the client's position couldn't be parsed, or for the newest. */
export interface StreamQuery {
  readonly direction: 'after' | 'before' | 'at' | 'newest'
  readonly position: PositionParts | undefined
  /** selects also the entries up to `position` that changed after it; undefined for none */
  readonly revision?: RevisionParts | undefined
  /** selects also the controls after `revision`, if it has so many bytes for all of them; otherwise the page isn't complete */
  readonly controlBytes?: number | undefined
  /** selects the number of unread entries */
  readonly readPosition?: PositionParts | undefined
  /** id of the member whose reactions are marked */
  readonly for?: string | undefined
  readonly limit: number
  readonly maxBytes: number
  /** ms; older entries are left out, and their positions aren't honoured; Infinity for a feed, which has delivered them */
  readonly maxAge: number
  /** whether the read is a use of the room, and creates it; `true` by default */
  readonly isUse?: boolean | undefined
}

/** As the read script returns it. */
export type ReadReply = [
  charge: number, epoch: string, beginning: string, at: string, offset: number,
  complete: number, more: number, ids: string, contents: string, number: string, changedAt: string, overdue: number, states: string, unread: number,
  changedIds?: string, changedContents?: string, changedStates?: string, moreChanged?: number, oldest?: string, controls?: string
]

const NONE: readonly Entry[] = []
const NO_CONTROLS: readonly Controlled[] = []

/** Parses what the read script returned. */
export function parsePage (reply: ReadReply): StreamPage {
  const [
    , epoch, beginning, at, offset, complete, more, ids, contents, number, changedAt, , states, unread,
    changedIds = '', changedContents = '', changedStates = '', moreChanged, oldest = '', controls = '[]'
  ] = reply
  return {
    entries: entriesOf(epoch, ids, contents, states),
    complete: complete === 1,
    more: more === 1,
    head: { position: { epoch, at: Number(at), offset }, change: { epoch, at: Number(changedAt), number: Number(number) } },
    beginning: { epoch, at: Number(beginning), offset: 0 },
    changed: changedIds === '' ? NONE : entriesOf(epoch, changedIds, changedContents, changedStates),
    moreChanged: moreChanged === 1,
    oldest: oldest === '' ? undefined : partsOf(epoch, oldest),
    unread: unread < 0 ? undefined : unread,
    controls: controls === '[]' ? NO_CONTROLS : parseItems<ControlRecord>(controls, invalidControl).map((record) => decodeControl(epoch, record))
  }
}

/** Returns a page without entries from what the script of unread entries returned for a room. `hasOverdue`: as of `RoomScripts.read`. */
export function parseUnread (reply: string): { readonly page: StreamPage, readonly hasOverdue: boolean } {
  const [epoch = '', ...numbers] = reply.split(' ')
  const [beginning = 0, at = 0, offset = 0, number = 0, changedAt = 0, overdue, hasEntries, unread] = numbers.map(Number)
  const page = {
    entries: NONE,
    complete: true,
    more: hasEntries === 1,
    head: { position: { epoch, at, offset }, change: { epoch, at: changedAt, number } },
    beginning: { epoch, at: beginning, offset: 0 },
    changed: NONE,
    moreChanged: false,
    oldest: undefined,
    unread,
    controls: NO_CONTROLS
  }
  return { page, hasOverdue: overdue === 1 }
}

function entriesOf (epoch: string, ids: string, contents: string, states: string): Entry[] {
  const idList = ids === '' ? [] : ids.split(' ')
  const entries = parseItems<Content>(contents, () => [0, '']).map((content, i) => decode(content, partsOf(epoch, idList[i]!)))
  if (states === '[]') return entries
  return parseItems<State>(states, invalidState).map((state, i) => withStoredState(entries[i]!, state, epoch))
}

/**
 * Parses an array of JSON whose items the scripts join by a comma and a line break: JSON has none.
 * @param replace returns the item for one that isn't JSON, which only damage or another program leaves in Redis
 */
function parseItems<Item> (array: string, replace: (text: string) => Item): Item[] {
  try {
    return JSON.parse(array) as Item[]
  } catch {
    return array.slice(1, -1).split(',\n').map((text) => {
      try {
        return JSON.parse(text) as Item
      } catch {
        return replace(text)
      }
    })
  }
}

/** Returns the state of an entry whose own can't be parsed: deleted, because no deleted text may be read. */
function invalidState (text: string): State {
  const [, number = 0, at = 0] = /^\[(\d+),(\d+),/.exec(text) ?? []
  return [Number(number), Number(at), 1, 0, 0, 0, 0, [], [], []]
}

/** Returns the parts of the position of an entry with an id of a stream. */
function partsOf (epoch: string, id: string): PositionParts {
  const [at, offset] = id.split('-')
  return { epoch, at: Number(at), offset: Number(offset) }
}
