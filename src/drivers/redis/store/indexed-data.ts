import { isRecordName } from './record-name.ts'
import type { RecordScripts } from './record-scripts.ts'
import type { IndexedRoom } from './room-index.ts'
import type { RoomScripts } from './room-scripts.ts'

/** What the index has the names of: rooms, and records of members. */
export class IndexedData {
  readonly #rooms: RoomScripts
  readonly #records: RecordScripts

  constructor (rooms: RoomScripts, records: RecordScripts) {
    this.#rooms = rooms
    this.#records = records
  }

  /** Returns the first key of a room or a record. */
  key (name: string): string { return isRecordName(name) ? this.#records.key(name) : this.#rooms.keys(name)[0]! }

  /** Resolves with the charge and the last use; with undefined if the room or the record is lost. */
  async inspect (name: string): Promise<IndexedRoom | undefined> {
    if (isRecordName(name)) return await this.#records.inspect(name)
    const found = await this.#rooms.readHead(name, false)
    if (found === undefined) return undefined
    const { charge, renewedAt, head: { position, change } } = found
    return { room: name, usedAt: String(Math.max(renewedAt, position.at, change.at)), charge }
  }

  /** Deletes a room or a record, unless it is in use. Resolves with its charge, 0 if it was deleted. @param usedAt time of the last use in ms */
  evict (name: string, usedAt: string): Promise<number> {
    return isRecordName(name) ? this.#records.evict(name, usedAt) : this.#rooms.evict(name, usedAt)
  }

  /** Removes the older half of a room's entries, or a record. Resolves with the charge of the rest. */
  removeOlderHalf (name: string): Promise<number> {
    return isRecordName(name) ? this.#records.evict(name, Infinity) : this.#rooms.removeOlderHalf(name)
  }
}
