import type { Head, Revision } from '../change.ts'
import type { JoinQuery } from './join-query.ts'
import type { Membership } from './membership/membership.ts'
import { readNewest, readWithStreams, type PageReader, type PageWithStreams } from './replay/missed-streams.ts'
import type { ReadTurns } from './replay/read-turns.ts'
import type { Position, Query } from '../store.ts'
import type { WholeReplay } from './replay/whole-replay.ts'

/** Size of the pages for a member that missed many entries. Each page is written when the previous one was sent. */
export const PAGE = { limit: 1_000, maxBytes: 64 * 1024 }

type Newest = Pick<JoinQuery, 'limit' | 'maxBytes'>

/** Up to where a member has received the room, and what it has received when that is not known. */
export interface Start {
  readonly position: Position | undefined
  readonly revision: Revision | undefined
  /** For a member without changes. */
  readonly whole: WholeReplay | undefined
  /** What a member receives that can't continue there. */
  readonly newest: Newest
  /** See `JoinQuery`. */
  readonly readKnown?: Promise<void> | undefined
}

/** A page for a member, and the read position for which its unread entries were counted. */
interface Found { readonly read: PageWithStreams, readonly readPosition: Position | undefined }

/** Reads the pages for memberships of a room that join, or that were suspended. */
export class JoinPages {
  readonly #pages: PageReader
  readonly #turns: ReadTurns
  /** The head after which the store delivers; undefined until the room follows it. */
  #followed: Head | undefined

  constructor (pages: PageReader, turns: ReadTurns) {
    this.#pages = pages
    this.#turns = turns
  }

  /** Called when the store delivers every entry and every change after the head. */
  follow (head: Head): void { this.#followed = head }

  /**
   * Reads the next page for a membership. If it isn't complete, reads the newest entries instead. Resolves with undefined if a page must be
   * read again.
   */
  async find (membership: Membership, entered: Promise<void>, { position, revision, readKnown, whole, ...start }: Start): Promise<Found | undefined> {
    const { reader } = membership
    const isFollowed = this.#followed !== undefined
    let readPosition: Position | undefined
    let newest: Query
    const readPage = () => {
      readPosition = membership.readPosition
      newest = { ...start.newest, for: reader, readPosition }
      const query = position === undefined ? newest : { after: position, revision, for: reader, readPosition, ...PAGE }
      return readWithStreams(this.#pages, this.#turns, query, whole)
    }
    const reading = readKnown === undefined ? readPage() : readKnown.then(readPage)
    reading.catch(() => { /* rethrown below */ })
    await entered
    const read = await reading
    if (read === undefined) return undefined
    const { page } = read
    if (revision !== undefined) this.#turns.release(PAGE.limit - page.entries.length - page.changed.length)
    // The store doesn't deliver an entry or a change that was stored between the two.
    if (!isFollowed && !this.#isFollowedAfter(page.head)) return undefined
    if (page.complete) return { read, readPosition }
    return { read: { ...read, page: { ...await readNewest(this.#pages, this.#turns, newest!), complete: false } }, readPosition }
  }

  #isFollowedAfter ({ position, change: { revision } }: Head): boolean {
    return this.#followed?.position === position && this.#followed.change.revision === revision
  }
}
