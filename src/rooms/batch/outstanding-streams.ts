import { composePosition } from './composed-position.ts'
import type { MergedChange } from './merged-change.ts'
import type { PendingChange } from './pending-changes.ts'
import type { Cursor, Entry, Position } from '../../store.ts'

/**
 * A message for clients without changes. entry: with its position on the wire. number: of the change that ended its streaming; 0 for
 * an entry that is sent when it is stored.
 */
export interface WholeMessage { readonly entry: Entry, readonly number: number }

/**
 * Selects what clients without changes receive: each entry once, and a streaming one when its streaming has ended. Knows which streams
 * are outstanding, and composes positions from them, so that a client can resume: see `composed-position.ts`.
 */
export class OutstandingStreams {
  /** Positions of the outstanding streams, by their offsets. */
  readonly #streams = new Map<number, Position>()
  /** Position of the last entry. */
  #base: Position = ''

  get isEmpty (): boolean { return this.#streams.size === 0 }

  /** The cursors of the outstanding streams. */
  get cursors (): Cursor[] { return [...this.#streams].map(([offset, position]) => ({ offset, position })) }

  /** The position of a client that has received everything so far. */
  get position (): Position { return composePosition(this.#base, undefined, this.#streams.values()) }

  /** Begins after an entry. Forgets all streams. */
  startAfter (base: Position): void {
    this.#base = base
    this.#streams.clear()
  }

  add (streams: Iterable<Cursor>): void {
    for (const { offset, position } of streams) this.#streams.set(offset, position)
  }

  /** Called when the entry at a position is no longer kept: no change of it follows. */
  forget (position: Position): void {
    for (const [offset, other] of this.#streams) if (other === position) this.#streams.delete(offset)
  }

  /** Returns the messages for the next entries of the room, and then for changes; undefined if these are just the entries. */
  take (entries: readonly Entry[], changes: readonly PendingChange[]): WholeMessage[] | undefined {
    const isPlain = this.isEmpty && !entries.some(({ streaming }) => streaming === true) &&
      !changes.some(({ merged, ended }) => ended !== undefined || isStreaming(merged))
    if (!isPlain && entries.length + changes.length > 0) return this.next(entries, changes)
    this.#base = entries.at(-1)?.position ?? this.#base
    return undefined
  }

  /** Returns the messages for the next entries of the room, and then for changes. */
  next (entries: readonly Entry[], changes: readonly PendingChange[]): WholeMessage[] {
    const messages: WholeMessage[] = []
    for (const entry of entries) {
      this.#base = entry.position
      this.#streams.delete(entry.offset)
      if (entry.streaming === true) this.#streams.set(entry.offset, entry.position)
      else messages.push({ entry: this.#positioned(entry), number: 0 })
    }
    for (const { offset, merged, ended } of changes) {
      const isOutstanding = this.#streams.has(offset)
      if (merged.deleted === true || merged.whole?.deleted === true) this.#streams.delete(offset)
      // It may have begun before the room was followed.
      else if (isStreaming(merged)) this.#streams.set(offset, merged.position)
      if (ended !== undefined && (isOutstanding || !ended.isWhole)) messages.push({ entry: this.late(ended.entry), number: ended.number })
    }
    return messages
  }

  /** Returns the message for a stream that has ended. */
  late (entry: Entry): Entry {
    this.#streams.delete(entry.offset)
    const late = entry.position === this.#base ? undefined : entry.position
    return { ...entry, position: composePosition(this.#base, late, this.#streams.values()) }
  }

  #positioned (entry: Entry): Entry {
    return this.#streams.size === 0 ? entry : { ...entry, position: this.position }
  }
}

/** Returns whether an entry is streaming after a change. False if the change doesn't determine it. */
function isStreaming ({ whole, appended, ended }: MergedChange): boolean {
  return whole === undefined ? appended !== undefined && ended !== true : whole.streaming === true
}
