import type { LmdbFeeds } from './feeds.ts'
import type { LmdbLog } from './log.ts'
import type { StagedRooms } from './staged-rooms.ts'

/** Trimming steps per commit, in addition to two for each appended entry, change or control: one trims an entry, one removes a key. */
const STEPS = 64

/** Trims the rooms in steps, over several commits if necessary. */
export class LmdbTrimming {
  readonly #feeds: LmdbFeeds
  readonly #rooms: StagedRooms
  readonly #untrimmed = new Set<string>()

  constructor (feeds: LmdbFeeds, rooms: StagedRooms) {
    this.#feeds = feeds
    this.#rooms = rooms
  }

  get hasPendingWork (): boolean { return this.#untrimmed.size > 0 }

  /** Adds a room that may exceed its bounds. */
  add (room: string): void { this.#untrimmed.add(room) }

  /** Trims the rooms of the next commit first. @param writeCount appended entries, changes and controls of the commit */
  run (staged: ReadonlySet<LmdbLog>, writeCount: number, now: number): void {
    let left = STEPS + 2 * writeCount
    for (const log of staged) {
      const steps = log.retention.trim(left, now)
      if (steps === left) this.#untrimmed.add(log.room)
      left -= steps
    }
    for (const room of this.#untrimmed) {
      if (left === 0) return
      const log = this.#rooms.log(room)
      const steps = log.retention.trim(left, now)
      if (steps > 0) this.#rooms.stage(log)
      if (steps < left) this.#untrimmed.delete(room)
      left -= steps
      // A room with followers isn't forgotten, because its offsets would begin again.
      if (!log.isUnused && log.retention.isEmpty(now) && !this.#feeds.has(room)) this.#rooms.forget(log)
    }
  }
}
