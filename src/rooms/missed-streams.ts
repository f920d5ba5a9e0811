import type { StreamWatch } from './stream-watch.ts'
import type { Entry, Page, Position, Query } from '../store.ts'

/** Reads a room. */
export type PageReader = Pick<StreamWatch, 'read' | 'get'>

/** A page, and what became of streams that a client without changes hasn't received. */
export interface PageWithStreams {
  /** Not `complete` if one of the streams is no longer kept. */
  readonly page: Page
  /** Those that have ended, oldest first. They had ended before the page was read. */
  readonly ended: readonly Entry[]
  /** Those that hadn't ended when the page was read. */
  readonly streaming: readonly Entry[]
}

/**
 * Reads a page, and the streams at some positions. Resolves with undefined if a stream ended meanwhile: it isn't known then whether it
 * ended before the page was read.
 */
export async function readWithStreams (
  room: PageReader, query: Query, positions: readonly Position[] = []
): Promise<PageWithStreams | undefined> {
  if (positions.length === 0) return { page: await room.read(query), ended: [], streaming: [] }
  const read = async (): Promise<ReadonlyArray<Entry | undefined>> => await Promise.all(positions.map((position) => room.get(position)))
  const streams = await read()
  const found = await room.read(query)
  if (streams.some((entry) => entry?.streaming === true)) {
    const later = await read()
    if (later.some((entry, i) => entry?.streaming !== streams[i]?.streaming)) return undefined
  }
  // A forged position may name an entry that the page contains too, or one that wasn't streamed: that has any size, but no revision.
  const page = streams.includes(undefined) ? { ...found, complete: false } : found
  const next = page.entries[0]?.offset ?? Infinity
  const kept = streams.filter((entry) => entry !== undefined && entry.offset < next) as Entry[]
  kept.sort((a, b) => a.offset - b.offset)
  return {
    page,
    ended: kept.filter(({ streaming, deleted, revision }) => streaming !== true && deleted !== true && revision !== undefined),
    streaming: kept.filter(({ streaming }) => streaming === true)
  }
}
