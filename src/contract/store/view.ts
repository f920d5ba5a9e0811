import assert from 'node:assert/strict'
import type { Changed } from '../../change.ts'
import type { Entry, FeedPage, Page } from '../../store.ts'

/** What a reader knows of a room: the entries that it received, with all changes that it received. */
export class View {
  readonly #entries = new Map<number, Entry>()

  constructor (entries: readonly Entry[] = []) {
    for (const entry of entries) this.#entries.set(entry.offset, entry)
  }

  get entries (): Entry[] { return [...this.#entries.values()].toSorted((a, b) => a.offset - b.offset) }

  /** Takes a page that continues what the reader knows. */
  read ({ entries, changed }: Page): void {
    for (const entry of [...changed, ...entries]) this.#entries.set(entry.offset, entry)
  }

  /** Takes a page of a feed. */
  follow ({ entries, changes, complete }: FeedPage): void {
    if (!complete) this.#entries.clear()
    for (const entry of entries) this.#entries.set(entry.offset, entry)
    for (const changed of changes) this.change(changed)
  }

  /** Takes one change. Ignores changes of entries that the reader doesn't know. */
  change (changed: Changed): void {
    const entry = this.#entries.get(changed.offset)
    if (entry !== undefined) this.#entries.set(changed.offset, changedEntry(entry, changed))
  }
}

/** Returns an entry after a change, as the contract describes it. Fails if an append isn't the continuation of the text. */
function changedEntry (entry: Entry, changed: Changed): Entry {
  if (changed.made === undefined) return changed.entry
  const { made, at, change: { revision } } = changed
  const { offset, position, at: storedAt, from } = entry
  if ('delete' in made) return { offset, position, at: storedAt, from, body: '', revision, deleted: true }
  const { body, reactions: before = [], unfinished, streaming: _, ...rest } = entry
  if ('append' in made) {
    assert.deepEqual([entry.streaming, made.at], [true, [...body as string].length], 'an append continues the text')
    return { ...entry, body: `${body as string}${made.append}`, revision }
  }
  if ('end' in made) {
    assert.equal(entry.streaming, true, 'a stream ends once')
    const ended = { ...rest, body, revision, ...made.unfinished === true && { unfinished: true as const }, ...before.length > 0 && { reactions: before } }
    assert.deepEqual('ended' in changed ? changed.ended : undefined, ended, 'an end has the whole entry')
    return ended
  }
  if ('edit' in made) {
    return {
      offset,
      position,
      at: storedAt,
      from,
      ...made.edit,
      revision,
      editedAt: at,
      ...unfinished !== undefined && { unfinished },
      ...before.length > 0 && { reactions: before }
    }
  }
  const { react: reaction } = made
  const now = { reaction, count: 'count' in changed ? changed.count : NaN }
  const isKnown = before.some((each) => each.reaction === reaction)
  const reactions = [...before.map((each) => each.reaction === reaction ? now : each), ...isKnown ? [] : [now]].filter(({ count }) => count !== 0)
  const { reactions: __, ...others } = entry
  return { ...others, revision, ...reactions.length > 0 && { reactions } }
}
