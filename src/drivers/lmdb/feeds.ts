import { Followers } from '../followers.ts'
import type { EpochSeed } from './head.ts'
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

/** `seed`: present if the room was unused when it was first followed, or was forgotten since. */
interface FollowedRoom { readonly followers: Followers, seed: EpochSeed | undefined }

/** The followers of all rooms, and the events that they receive after the next commit. */
export class LmdbFeeds {
  readonly #rooms = new Map<string, FollowedRoom>()
  #events: FeedEvent[] = []

  has (room: string): boolean { return this.#rooms.has(room) }

  /** Returns the seed that a followed room keeps; undefined if it keeps none. */
  seedOf (room: string): EpochSeed | undefined { return this.#rooms.get(room)?.seed }

  /** Called when a room was forgotten. It may have followers that were added during the commit. */
  forgotten (room: string, seed: EpochSeed): void {
    const followed = this.#rooms.get(room)
    if (followed !== undefined) followed.seed = seed
  }

  /** @param seed of an unused room, which keeps it as long as it has followers */
  follow (room: string, head: Head, seed: EpochSeed | undefined, deliver: (page: FeedPage) => void): Feed {
    const followed = this.#rooms.get(room) ?? { followers: new Followers(), seed }
    this.#rooms.set(room, followed)
    const { followers } = followed
    const stop = followers.add(head, deliver)
    return {
      head,
      stop: () => {
        stop()
        this.#release(room)
      }
    }
  }

  push (room: string, cursor: Cursor, record: EntryRecord, draft: Draft): void { this.#events.push({ room, cursor, record, draft }) }

  pushChange (room: string, changed: Changed): void { this.#events.push({ room, changed }) }

  pushControl (room: string, controlled: Controlled): void { this.#events.push({ room, controlled }) }

  /** Reports a break: delivery continues after `head`. */
  restart (room: string, head: Head): void { this.#events.push({ room, restart: head }) }

  deliver (): void {
    const events = this.#events
    this.#events = []
    const due = new Set<Followers>()
    for (const event of events) {
      const followers = this.#rooms.get(event.room)?.followers
      if (followers === undefined) continue
      if ('restart' in event) followers.restart(event.restart)
      else if ('changed' in event) followers.pushChange(event.changed)
      else if ('controlled' in event) followers.pushControl(event.controlled)
      else followers.push(entryBefore(event))
      due.add(followers)
    }
    for (const followers of due) followers.deliver()
    for (const { room } of events) this.#release(room)
  }

  /** Discards the events of a commit that failed. */
  drop (): void {
    const events = this.#events
    this.#events = []
    for (const { room } of events) this.#release(room)
  }

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

  /** Removes a room without followers. While a commit is running, a room that it writes stays: its first entry is written with its seed. */
  #release (room: string): void {
    if (this.#rooms.get(room)?.followers.size === 0 && !this.#events.some((event) => event.room === room)) this.#rooms.delete(room)
  }
}

/** Returns an entry that is equal to the result of a read before its first change. */
function entryBefore ({ cursor, record, draft }: { cursor: Cursor, record: EntryRecord, draft: Draft }): Entry {
  if (typeof draft.body !== 'string' || draft.streaming === true) return decodeRecord(record, cursor, '')
  return entryOf(cursor, timeOf(record), draft, undefined, '')
}
