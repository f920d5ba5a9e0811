import type { RedisClient } from '../client/client.ts'
import { evictRecord, forgetRead, inspectRecord, markRead, readRecord } from './scripts/records.ts'
import type { IndexedRoom } from './room-index.ts'

/** Commands on the record of a member, by its name in the index. A charge is the memory that Redis uses for the record, in bytes. */
export class RecordScripts {
  readonly #client: RedisClient

  constructor (client: RedisClient) { this.#client = client }

  /** Returns the key that a room of this name would have: versions without records then delete what they evict. */
  key (name: string): string { return this.#client.key(name, 'room') }

  /** Moves read positions. Resolves with the charge. @param positions as the script takes them */
  async mark (name: string, positions: ReadonlyArray<string | number>): Promise<number> {
    return await this.#client.run(markRead, [this.key(name)], positions) as number
  }

  /** Resolves with the charge, 0 if there is no record, and with rooms, each followed by the position. @param room only this one */
  async read (name: string, room?: string): Promise<readonly [charge: number, ...positions: string[]]> {
    return await this.#client.run(readRecord, [this.key(name)], room === undefined ? [] : [room]) as [number, ...string[]]
  }

  /**
   * Removes a read position. Resolves with the charge; with undefined if none was removed.
   * @param upTo keeps a position that `mark` would put in its place
   */
  async forget (name: string, room: string, upTo?: string): Promise<number | undefined> {
    return await this.#client.run(forgetRead, [this.key(name)], upTo === undefined ? [room] : [room, upTo]) as number | null ?? undefined
  }

  /** Deletes a record that wasn't used since a time in ms. Resolves with its charge, 0 if it was deleted. */
  async evict (name: string, usedAt: string | number): Promise<number> {
    return await this.#client.run(evictRecord, [this.key(name)], [usedAt === Infinity ? Number.MAX_SAFE_INTEGER : usedAt]) as number
  }

  /** Resolves with the last use and the charge; with undefined if there is no record. */
  async inspect (name: string): Promise<IndexedRoom | undefined> {
    const [usedAt, charge] = await this.#client.run(inspectRecord, [this.key(name)], []) as [] | [string, number]
    return usedAt === undefined || charge === undefined ? undefined : { room: name, usedAt, charge }
  }
}
