import { parseComposed } from '../batch/composed-position.ts'
import type { JoinedPage } from '../batch/format.ts'
import { OutstandingStreams, type WholeMessage } from '../batch/outstanding-streams.ts'
import type { PageWithStreams } from './missed-streams.ts'
import { batched } from '../batch/pending-changes.ts'
import type { Changed } from '../../change.ts'
import type { Cursor, Entry, Page, Position } from '../../store.ts'

/** What became of the outstanding streams of a member: see `PageWithStreams`. */
type Streams = Pick<PageWithStreams, 'ended' | 'streaming' | 'dropped'>

const NONE: Streams = { ended: [], streaming: [], dropped: [] }

/** What a member without changes is sent until it has caught up: entries that aren't streaming, and each stream that has ended. */
export class WholeReplay {
  readonly #streams = new OutstandingStreams()
  /** The position on the wire to resume from, if it differs from the one in the store. */
  readonly resumed: Position | undefined
  /** The position to read from; undefined for the newest entries. */
  readonly after: Position | undefined
  #outstanding: readonly Position[] = []
  #hasBegun = false
  #messages: WholeMessage[] = []

  /** @param after position on the wire to resume from */
  constructor (after?: Position) {
    const { base, outstanding, isComplete } = after === undefined ? { base: after, outstanding: [], isComplete: true } : parseComposed(after)
    // The store doesn't honour a position on the wire. Streams of this one are unknown.
    this.after = isComplete ? base : after
    this.resumed = after === base ? undefined : after
    if (isComplete) this.#outstanding = outstanding
  }

  /**
   * Returns the replay for a member that has received everything up to an entry.
   * @param after position of the entry @param streams that are outstanding
   */
  static after (after: Position, streams: readonly Cursor[]): WholeReplay {
    const replay = new WholeReplay(after)
    replay.#hasBegun = true
    replay.#streams.startAfter(after)
    replay.#streams.add(streams)
    replay.#outstanding = replay.#streams.cursors.map(({ position }) => position)
    return replay
  }

  /** Whether there was a page. */
  get hasBegun (): boolean { return this.#hasBegun }

  /** The positions of the streams that the member hasn't received. */
  get outstanding (): readonly Position[] { return this.#outstanding }

  /** The streams that the member hasn't received. */
  get streams (): readonly Cursor[] { return this.#streams.cursors }

  /**
   * Returns the page to answer the join with. The streams that have ended follow it: together they may be too large for one message.
   * @param end of the page
   * @param room the outstanding streams of the room: the page may not contain them
   */
  joined (page: Page, end: Cursor, room: readonly Cursor[], { ended, streaming } = NONE): JoinedPage {
    this.#hasBegun = true
    const offsets = new Set(page.entries.map(({ offset }) => offset))
    this.#streams.startAfter(end.position)
    this.#streams.add(room.filter(({ offset }) => offset <= end.offset && !offsets.has(offset)))
    this.#streams.add([...ended, ...streaming, ...page.entries.filter(isStreaming)])
    const { position } = this.#streams
    this.#late(ended)
    return { ...page, position, entries: page.entries.filter((entry) => !isStreaming(entry)) }
  }

  /** Adds a further page. */
  push ({ entries }: Page, { ended, dropped }: Streams): void {
    for (const position of dropped) this.#streams.forget(position)
    this.#messages.push(...this.#streams.next(entries, []))
    this.#late(ended)
  }

  /** Returns the messages since the last call, and those for what was delivered after the page. */
  take ({ entries, changes }: { readonly entries: readonly Entry[], readonly changes: readonly Changed[] }): readonly WholeMessage[] {
    const messages = [...this.#messages, ...this.#streams.next(entries, batched(changes))]
    this.#messages = []
    this.#outstanding = this.#streams.cursors.map(({ position }) => position)
    return messages
  }

  #late (ended: readonly Entry[]): void {
    for (const entry of ended) this.#messages.push({ entry: this.#streams.late(entry), number: 0 })
  }
}

function isStreaming ({ streaming }: Entry): boolean { return streaming === true }
