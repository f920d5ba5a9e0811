import { StreamLeases } from '../stream-leases.ts'
import { isStreaming } from './record.ts'
import type { LmdbLog } from './log.ts'

/**
 * The leases of the streaming entries of all rooms. Each entry has an index. A lease outlives its entry, which may be trimmed, cleared or
 * part of a commit that fails, until the next call of `prune`.
 */
export class LmdbLeases {
  readonly #rooms = new Map<string, StreamLeases<number>>()

  renew (room: string, index: number): void {
    const leases = this.#rooms.get(room) ?? new StreamLeases()
    this.#rooms.set(room, leases)
    leases.renew(index)
  }

  /** Returns for how many ms an entry was not renewed. */
  idleTime (room: string, index: number): number { return this.#rooms.get(room)?.idleTime(index) ?? Infinity }

  /** Removes the leases of entries that are no longer streaming. @param log returns the log of a room; may throw */
  prune (log: (room: string) => LmdbLog): void {
    for (const [room, leases] of this.#rooms) {
      if (leases.prune((index) => isGrowing(() => log(room), index)) === 0) this.#rooms.delete(room)
    }
  }
}

/** Returns whether an entry is kept and streaming. Returns false if it is damaged: no text can be added to it. */
function isGrowing (log: () => LmdbLog, index: number): boolean {
  try {
    const { head: { first, last }, records } = log()
    return index >= first && index <= last && isStreaming(records.entryAt(index))
  } catch {
    return false
  }
}
