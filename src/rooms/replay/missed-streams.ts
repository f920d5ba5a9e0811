import { MAX_OUTSTANDING } from '../batch/composed-position.ts'
import type { ReadTurns } from './read-turns.ts'
import { MAX_STREAM_BYTES } from '../../request-bounds.ts'
import type { StreamWatch } from './stream-watch.ts'
import type { Entry, Page, Position, Query } from '../../store.ts'

/** Reads a room. */
export type PageReader = Pick<StreamWatch, 'read' | 'get'>

/** Number of messages that the read of a stream counts as, because its text may be as large as a page. */
const STREAM_COST = 100

const NONE: Missed = { outstanding: [], hasBegun: false }
const UNREAD = { ended: [], streaming: [], dropped: [] }

/** The streams that a member without changes hasn't received. hasBegun: whether it was sent a page. */
interface Missed { readonly outstanding: readonly Position[], readonly hasBegun: boolean }

/** A page, and what became of streams that a client without changes hasn't received. */
export interface PageWithStreams {
  /** Not `complete` if one of the streams is no longer kept. */
  readonly page: Page
  /** Those that have ended, oldest first. They had ended before the page was read. */
  readonly ended: readonly Entry[]
  /** Those that hadn't ended when the page was read, and those that have ended but don't fit into a page. */
  readonly streaming: readonly Entry[]
  /** Those that will never be sent: they were deleted, or never streamed. */
  readonly dropped: readonly Position[]
}

/**
 * Reads a page, and the streams that a member hasn't received: with the first page, and with the last one. A stream may end after each
 * page. Resolves with undefined if one ended meanwhile: it isn't known then whether it ended before the page was read.
 * @param missed none for a member that receives changes
 */
export async function readWithStreams (
  room: PageReader, turns: ReadTurns, query: Query, missed: Missed = NONE
): Promise<PageWithStreams | undefined> {
  const positions = missed.outstanding
  if (positions.length === 0) return { page: await (query.after === undefined ? readNewest(room, turns, query) : room.read(query)), ...UNREAD }
  if (missed.hasBegun) {
    const page = await room.read(query)
    if (!page.complete || page.more) return { page, ...UNREAD }
    if (positions.length > MAX_OUTSTANDING) return { page: { ...page, complete: false }, ...UNREAD }
  }
  await turns.wait(positions.length * STREAM_COST)
  const read = async (): Promise<ReadonlyArray<Entry | undefined>> => await Promise.all(positions.map((position) => room.get(position)))
  const streams = await read()
  const found = await room.read(query)
  if (streams.some((entry) => entry?.streaming === true)) {
    const later = await read()
    if (later.some((entry, i) => entry?.streaming !== streams[i]?.streaming)) return undefined
  }
  // A forged position may name an entry that the page contains too, or one that wasn't streamed.
  const page = streams.includes(undefined) ? { ...found, complete: false } : found
  const next = page.entries[0]?.offset ?? Infinity
  const kept = streams.filter((entry) => entry !== undefined && entry.offset < next) as Entry[]
  kept.sort((a, b) => a.offset - b.offset)
  const ended = kept.filter((entry) => entry.streaming !== true && mayBeStreamed(entry))
  const fitting = countWithin(ended, Infinity, query.maxBytes)
  return {
    page: fitting < ended.length ? { ...page, moreChanged: true } : page,
    ended: ended.slice(0, fitting),
    streaming: [...kept.filter(({ streaming }) => streaming === true), ...ended.slice(fitting)],
    dropped: kept.filter((entry) => entry.streaming !== true && !mayBeStreamed(entry)).map(({ position }) => position)
  }
}

/** Returns whether an entry may have been streamed: that has a revision, and text of a bounded size. */
function mayBeStreamed ({ deleted, revision, body }: Entry): boolean {
  return deleted !== true && revision !== undefined && typeof body === 'string' && Buffer.byteLength(body) <= MAX_STREAM_BYTES
}

/** Returns the number of the first entries whose texts fit into a page; at least 1 if there are any. */
function countWithin (entries: readonly Entry[], limit: number, maxBytes: number): number {
  let bytes = 0
  const index = entries.findIndex(({ body }, i) => (bytes += Buffer.byteLength(body)) > maxBytes && i > 0)
  return Math.min(limit, index === -1 ? entries.length : index)
}

/** Minimum size of a page that is read because a smaller one had only streaming entries. */
const NEXT = { limit: 1_000, maxBytes: 256 * 1024 }

/**
 * Reads the newest entries. A member without changes (no `for`) receives no streaming ones: if the page has no others, reads a larger one,
 * once. Returns the newest others of it, up to the limit, and the streaming ones between and after them. It isn't read on, because older
 * entries might be newer than the head.
 */
export async function readNewest (room: Pick<StreamWatch, 'read'>, turns: ReadTurns, query: Query): Promise<Page> {
  const newest = await room.read(query)
  if (query.for !== undefined || !newest.more || newest.entries.length === 0 || newest.entries.some(isWhole)) return newest
  await turns.wait(NEXT.limit)
  const page = await room.read({ ...query, limit: Math.max(query.limit, NEXT.limit), maxBytes: Math.max(query.maxBytes, NEXT.maxBytes) })
  turns.release(NEXT.limit - Math.min(page.entries.length, NEXT.limit))
  const others = page.entries.filter(isWhole)
  const first = others.slice(-countWithin([...others].reverse(), query.limit, query.maxBytes))[0]
  return first === undefined ? page : { ...page, entries: page.entries.slice(page.entries.indexOf(first)), more: page.more || first !== page.entries[0] }
}

function isWhole ({ streaming }: Entry): boolean { return streaming !== true }
