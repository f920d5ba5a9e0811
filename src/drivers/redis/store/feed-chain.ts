import type { PositionParts } from '../../position.ts'
import { parseRevision, type RevisionParts } from '../../revision.ts'
import type { Batch, PublishedChanges, PublishedControl, PublishedEntries } from './published-batch.ts'
import { changedEntry, changeOf, cursorOf } from './record.ts'
import type { RoomHead, StreamPage } from './stream-page.ts'
import type { Changed, Controlled, Head } from '../../../change.ts'
import type { Entry, FeedPage } from '../../../store.ts'

const NO_ENTRIES: readonly Entry[] = []
const NO_CHANGES: readonly Changed[] = []

/** What a feed has reached. Takes published batches and pages that follow it. */
export class FeedChain {
  readonly #push: (page: FeedPage) => void
  /** undefined before the first page */
  #last: RoomHead | undefined
  #head: Head | undefined

  /** @param push called with each page that is to be delivered */
  constructor (push: (page: FeedPage) => void) {
    this.#push = push
  }

  /** The newest entry, and the newest change or control, that were pushed; undefined before the first page. */
  get last (): RoomHead | undefined { return this.#last }

  /** `last` as followers receive it; defined only after the first page. */
  get head (): Head { return this.#head! }

  /** Returns whether the room has exactly this head. */
  isAt (head: RoomHead | undefined): boolean {
    return head !== undefined && isSameEntry(head.position, this.#last?.position) && isSameChange(head.change, this.#last?.change)
  }

  /**
   * Takes a page. Returns whether to read on.
   * @param after what `last` was when the page was read; published batches may have been taken since
   */
  takePage (page: StreamPage, after: RoomHead | undefined): boolean {
    const last = this.#last
    if (last === undefined || after === undefined) {
      this.#advance(page.head.position, page.head.change)
      return false
    }
    // An entry that changed and was removed since is on no page. Changes before a control that are on a later page would follow it.
    const isNext = page.complete && page.oldest === undefined && !(page.moreChanged && page.controls.length > 0)
    if (isNext) return this.#takeNext(page, after, last)
    if (last === after) return this.#takeBreak(page, last)
    // The batches since may have closed the gap. Otherwise a read after them shows one.
    return !isCovered(page.head, last)
  }

  /** Takes from a page that follows `after` what follows `last`. */
  #takeNext ({ entries, changed, more, moreChanged, head, controls }: StreamPage, after: RoomHead, last: RoomHead): boolean {
    const newer = last === after ? entries : entries.filter(({ offset }) => offset > last.position.offset)
    const entry = newer.at(-1)
    const position = entry === undefined ? last.position : { epoch: head.position.epoch, at: entry.at, offset: entry.offset }
    const reached = moreChanged ? parseRevision(changed.at(-1)!.revision!)! : head.change
    const change = reached.number > last.change.number ? reached : last.change
    const newControls = controls.filter((control) => control.change.number > last.change.number)
    if (entry !== undefined || change !== last.change || newControls.length > 0) {
      this.#advance(position, change)
      const changes = recordsOf([...changed, ...entries], last.change, change)
      this.#push({ ...newControls.length > 0 && { controls: newControls }, entries: newer, changes, complete: true, head: this.head })
    }
    return more || moreChanged
  }

  /**
   * A new epoch is read from its beginning, if that is still stored. Otherwise the feed continues from the head. The controls before the
   * break hold in spite of it.
   */
  #takeBreak ({ head, beginning, controls }: StreamPage, last: RoomHead): boolean {
    const continues = isSameEntry(last.position, beginning) || last.position.epoch === beginning.epoch
    if (continues) this.#advance(head.position, head.change)
    else this.#advance(beginning, { epoch: beginning.epoch, at: beginning.at, number: 0 })
    // Controls of several epochs are reported as several breaks.
    for (const group of byEpoch(controls)) {
      this.#push({ ...group.length > 0 && { controls: group }, entries: NO_ENTRIES, changes: NO_CHANGES, complete: false, head: this.head })
    }
    return !continues
  }

  /** Takes a published batch. Returns whether it follows `last`, or was delivered already. */
  take (batch: Batch | undefined): boolean {
    if (batch === undefined || this.#last === undefined) return false
    if ('entries' in batch) return this.#takeEntries(batch, this.#last)
    return 'changes' in batch ? this.#takeChanges(batch, this.#last) : this.#takeControl(batch, this.#last)
  }

  #takeEntries ({ before, at, entries, control }: PublishedEntries, { position, change }: RoomHead): boolean {
    if (before.epoch !== position.epoch) return false
    if (!isSameEntry(before, position)) return before.offset + entries.length <= position.offset && at <= position.at
    // The publication of the control was lost.
    if (control !== undefined && (control.number > change.number || control.at > change.at)) return false
    this.#advance({ epoch: before.epoch, at, offset: before.offset + entries.length }, change)
    this.#push({ entries, changes: NO_CHANGES, complete: true, head: this.head })
    return true
  }

  #takeChanges ({ before, at, changes }: PublishedChanges, { position, change }: RoomHead): boolean {
    if (before.epoch !== change.epoch) return false
    if (!isSameChange(before, change)) return before.number + changes.length <= change.number && at <= change.at
    // The entry wasn't published, or its publication was lost.
    if (changes.some(({ offset }) => offset > position.offset)) return false
    this.#advance(position, { epoch: before.epoch, at, number: before.number + changes.length })
    this.#push({ entries: NO_ENTRIES, changes, complete: true, head: this.head })
    return true
  }

  #takeControl ({ before, at, controlled }: PublishedControl, { position, change }: RoomHead): boolean {
    if (before.epoch !== change.epoch) return false
    if (!isSameChange(before, change)) return controlled.change.number <= change.number && at <= change.at
    this.#advance(position, { epoch: before.epoch, at, number: controlled.change.number })
    this.#push({ controls: [controlled], entries: NO_ENTRIES, changes: NO_CHANGES, complete: true, head: this.head })
    return true
  }

  #advance (position: PositionParts, change: RevisionParts): void {
    const known = this.#head !== undefined && isSameChange(change, this.#last?.change) ? this.#head.change : changeOf(change)
    const { offset, position: text } = cursorOf(position)
    this.#last = { position, change }
    this.#head = { offset, position: text, change: known }
  }
}

/** Returns controls in groups whose numbers rise: those of an epoch. One empty group if there are none. */
function byEpoch (controls: readonly Controlled[]): Controlled[][] {
  const groups: Controlled[][] = [[]]
  for (const control of controls) {
    const before = groups.at(-1)!.at(-1)
    if (before === undefined || before.change.number < control.change.number) groups.at(-1)!.push(control)
    else groups.push([control])
  }
  return groups
}

/**
 * Returns the records of entries that changed after a change, up to another one. Entries that are new have records too: a reader
 * that had them already, from a page that is older than this change, needs them.
 */
function recordsOf (entries: readonly Entry[], after: RevisionParts, last: RevisionParts): readonly Changed[] {
  const records = entries.filter(({ revision }) => revision !== undefined).map(changedEntry)
    .filter(({ change: { number } }) => number > after.number && number <= last.number)
  return records.length === 0 ? NO_CHANGES : records.toSorted((one, other) => one.change.number - other.change.number)
}

/** Returns whether a head of the same epoch is not newer than another. */
function isCovered ({ position, change }: RoomHead, by: RoomHead): boolean {
  return position.epoch === by.position.epoch && position.offset <= by.position.offset && change.number <= by.change.number
}

function isSameEntry (one: PositionParts, other: PositionParts | undefined): boolean {
  return other !== undefined && one.offset === other.offset && one.at === other.at && one.epoch === other.epoch
}

function isSameChange (one: RevisionParts, other: RevisionParts | undefined): boolean {
  return other !== undefined && one.number === other.number && one.at === other.at && one.epoch === other.epoch
}
