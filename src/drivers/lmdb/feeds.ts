import { Followers } from '../followers.ts'
import { decodeRecord, entryOf, timeOf, type EntryRecord } from './record.ts'
import type { Changed, Controlled, Head } from '../../change.ts'
import type { Cursor, Draft, Entry, Feed, FeedPage } from '../../store.ts'

/** An undelivered entry, change, control or break of one room. */
type FeedEvent = { readonly room: string } & (
  | { readonly cursor: Cursor, readonly record: EntryRecord, readonly draft: Draft }
  | { readonly changed: Changed }
  | { readonly controlled: Controlled }
  | { readonly restart: Head }
)

/** The followers of all rooms, and the events that they receive after the next commit. */
export class LmdbFeeds {
  readonly #rooms = new Map<string, Followers>()
  #events: FeedEvent[] = []

  has (room: string): boolean { return this.#rooms.has(room) }

  follow (room: string, head: Head, deliver: (page: FeedPage) => void): Feed {
    const followers = this.#rooms.get(room) ?? new Followers()
    this.#rooms.set(room, followers)
    const stop = followers.add(head, deliver)
    return {
      head,
      stop: () => {
        stop()
        if (followers.size === 0 && this.#rooms.get(room) === followers) this.#rooms.delete(room)
      }
    }
  }

  push (room: string, cursor: Cursor, record: EntryRecord, draft: Draft): void { this.#events.push({ room, cursor, record, draft }) }

  pushChange (room: string, changed: Changed): void { this.#events.push({ room, changed }) }

  pushControl (room: string, controlled: Controlled): void { this.#events.push({ room, controlled }) }

  /** Reports a break: delivery continues after `head`. */
  restart (room: string, head: Head): void { this.#events.push({ room, restart: head }) }

  deliver (): void {
    const due = new Set<Followers>()
    for (const event of this.#events) {
      const followers = this.#rooms.get(event.room)
      if (followers === undefined) continue
      if ('restart' in event) followers.restart(event.restart)
      else if ('changed' in event) followers.pushChange(event.changed)
      else if ('controlled' in event) followers.pushControl(event.controlled)
      else followers.push(entryBefore(event))
      due.add(followers)
    }
    this.#events = []
    for (const followers of due) followers.deliver()
  }

  /** Discards the events of a commit that failed. */
  drop (): void { this.#events = [] }

  /** Reports a break in each room of a commit whose outcome is unknown. @param headOf returns the head on disk */
  doubt (headOf: (room: string) => Head): void {
    const rooms = new Set(this.#events.map(({ room }) => room).filter((room) => this.#rooms.has(room)))
    this.#events = [...rooms].map((room) => ({ room, restart: headOf(room) }))
    this.deliver()
  }

  close (): void {
    this.#rooms.clear()
    this.drop()
  }
}

/** Returns an entry that is equal to the result of a read before its first change. */
function entryBefore ({ cursor, record, draft }: { cursor: Cursor, record: EntryRecord, draft: Draft }): Entry {
  if (typeof draft.body !== 'string' || draft.streaming === true) return decodeRecord(record, cursor, '')
  return entryOf(cursor, timeOf(record), draft, undefined, '')
}
