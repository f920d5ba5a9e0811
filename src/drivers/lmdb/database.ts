import { randomInt } from 'node:crypto'
import type { Database } from 'lmdb'
import { StoreDamaged, StoreInUse, StoreUnavailable, StoreUnknown } from '../../errors.ts'
import { codedError, isDamage, openError } from './damage.ts'
import { LmdbEnvironment } from './environment.ts'
import { checkFormat } from './format-check.ts'
import { newEpochSeed, type EpochSeed, type RoomHead } from './head.ts'
import { LmdbMemberRows, type MemberUse } from './member-rows.ts'
import type { ChangeRow } from './change-row.ts'
import type { MemberRow } from './member-row.ts'
import type { EntryRecord } from './record.ts'

/** Collects the writes of one commit, which is atomic. An undefined record, change, head or row is removed. */
export interface Writes {
  record (room: string, index: number, record: EntryRecord | undefined): void
  change (room: string, index: number, row: ChangeRow | undefined): void
  head (room: string, head: RoomHead | undefined): void
  epochSeed (seed: EpochSeed): void
  /** Adds a use of a room to the order of use, or removes it. @param at time of the use, ms */
  use (room: string, at: number, isLast: boolean): void
  member (memberId: string, row: MemberRow | undefined): void
  /** As `use`, for the read positions of a member. */
  memberUse (memberId: string, at: number, isLast: boolean): void
}

/** The last use of a room on disk. */
export interface Use {
  /** ms since 1970 */
  readonly used: number
  readonly room: string
}

/** The index of a head among the records of its room. A head follows the newest record, so that a post writes both to one page. */
const HEAD = Number.MAX_SAFE_INTEGER

/** The LMDB database of one store: records, changes, heads, order of use and charged bytes of its rooms, rows of members, and the directory's owner. */
export class LmdbDatabase {
  readonly #environment: LmdbEnvironment
  /** Checked in every commit: a store whose directory was taken over by another process can't write. */
  readonly #token = randomInt(1, 2 ** 48 - 1)
  readonly #records: Database<EntryRecord, [room: string, index: number]>
  /** The same tree as `#records`, with another encoding. */
  readonly #heads: Database<RoomHead, [room: string, index: typeof HEAD]>
  /** In a tree of their own, so that a post doesn't write more pages because its room has changes. */
  readonly #changes: Database<ChangeRow, [room: string, index: number]>
  /** All rooms on disk, in the order of their last use. Values are unused. */
  readonly #uses: Database<number, [used: number, room: string]>
  readonly #members: LmdbMemberRows
  /** The version of the value 'owner' is the owner's token. */
  readonly #owner: Database<unknown, string>
  readonly #writes: Writes

  /**
   * Opens the database of a directory. Rejects with StoreInUse, StoreDamaged, StoreFormat or StoreUnusable.
   * @param verify reads all pages first
   */
  static async open (path: string, verify = false): Promise<LmdbDatabase> {
    const environment = await LmdbEnvironment.open(path)
    try {
      if (verify) environment.verify()
      return new LmdbDatabase(environment)
    } catch (error) {
      await environment.close().catch(() => { /* the error that led here is thrown */ })
      throw error
    }
  }

  /**
   * Opens the database and takes ownership of the directory. If it throws, the caller must close the environment.
   * @throws StoreDamaged, StoreFormat, StoreUnusable
   */
  constructor (environment: LmdbEnvironment) {
    this.#environment = environment
    const { root } = environment
    const [owner, heads, records, changes, uses, members] = opening(environment, () => {
      checkFormat(environment)
      const owner = root.openDB<unknown, string>('owner', { encoding: 'json', useVersions: true })
      const heads = root.openDB<RoomHead, [string, number]>('rows', { encoding: 'json' })
      const records = root.openDB<EntryRecord, [string, number]>('rows', { encoding: 'binary' })
      const changes = root.openDB<ChangeRow, [string, number]>('changes', { encoding: 'binary' })
      const uses = root.openDB<number, [number, string]>('uses', { encoding: 'json' })
      owner.transactionSync(() => {
        owner.putSync('owner', { pid: process.pid }, this.#token)
        if (owner.get('epochSeed') === undefined) owner.putSync('epochSeed', newEpochSeed(), 0)
      })
      return [owner, heads, records, changes, uses, new LmdbMemberRows(root)] as const
    })
    this.#owner = owner
    this.#heads = heads
    this.#records = records
    this.#changes = changes
    this.#uses = uses
    this.#members = members
    this.#writes = {
      record: (room, index, record) => record === undefined ? records.remove([room, index]) : records.put([room, index], record),
      change: (room, index, row) => row === undefined ? changes.remove([room, index]) : changes.put([room, index], row),
      head: (room, head) => head === undefined ? heads.remove([room, HEAD]) : heads.put([room, HEAD], head),
      epochSeed: (seed) => owner.put('epochSeed', seed, 0),
      use: (room, at, isLast) => isLast ? uses.put([at, room], 0) : uses.remove([at, room]),
      member: (memberId, row) => members.write(memberId, row),
      memberUse: (memberId, at, isLast) => members.writeUse(memberId, at, isLast)
    }
  }

  get epochSeed (): EpochSeed { return this.reading(() => this.#owner.get('epochSeed') as EpochSeed) }

  /** Bytes charged for all rooms and members. */
  get bytes (): number { return this.reading(() => this.#environment.root.get('bytes') as number | undefined ?? 0) }

  head (room: string): RoomHead | undefined { return this.reading(() => this.#heads.get([room, HEAD])) }

  entry (room: string, index: number): EntryRecord {
    const record = this.record(room, index)
    if (record === undefined) throw new StoreDamaged(this.#environment.path, `entry ${index} of the room '${room}' is missing`)
    return record
  }

  /** Returns the record of an entry, which may be trimmed; undefined if there is none. */
  record (room: string, index: number): EntryRecord | undefined { return this.reading(() => this.#records.getBinary([room, index])) }

  /**
   * Returns the records of a room after one index, up to and including another. Gets each record by its key: a cursor that
   * reaches a zeroed page ends the process (lmdb 3.5), and is hardly faster.
   */
  records (room: string, after: number, last: number): Array<{ index: number, record: EntryRecord }> {
    const records = []
    for (let index = after + 1; index <= last; index++) {
      const record = this.record(room, index)
      if (record !== undefined) records.push({ index, record })
    }
    return records
  }

  changeAt (room: string, index: number): ChangeRow {
    const row = this.change(room, index)
    if (row === undefined) throw new StoreDamaged(this.#environment.path, `change ${index} of the room '${room}' is missing`)
    return row
  }

  /** Returns the row of a change; undefined if there is none. */
  change (room: string, index: number): ChangeRow | undefined { return this.reading(() => this.#changes.getBinary([room, index])) }

  /** Returns up to `limit` rooms after a given one, the least recently used first. @throws StoreDamaged, StoreUnavailable */
  rooms (after: Use | undefined, limit: number): Array<Use & { head: RoomHead }> {
    const range = { ...after !== undefined && { start: [after.used, after.room] as [number, string], exclusiveStart: true }, limit }
    const uses = this.reading(() => Array.from(this.#uses.getKeys(range)))
    return uses.map(([used, room]) => {
      const head = this.head(room)
      if (head === undefined) throw new StoreDamaged(this.#environment.path, `the head of the room '${room}' is missing`)
      return { used, room, head }
    })
  }

  /** Yields all rooms, the least recently used first. */
  * leastUsed (): Generator<Use> {
    try {
      for (const [used, room] of this.#uses.getKeys()) yield { used, room }
    } catch (error) {
      throw this.#coded(error)
    }
  }

  /** Returns the read positions of a member; undefined if there are none. */
  member (memberId: string): MemberRow | undefined { return this.reading(() => this.#members.get(memberId)) }

  /** Yields all members with read positions, the least recently used first. @param after begins after this one */
  * leastUsedMembers (after?: MemberUse): Generator<MemberUse> {
    try {
      yield * this.#members.leastUsed(after)
    } catch (error) {
      throw this.#coded(error)
    }
  }

  /**
   * Commits writes atomically. Resolves once they are on disk. Rejects with UNKNOWN if the data file was removed or replaced
   * meanwhile, with DAMAGED or UNAVAILABLE if nothing was written.
   * @param bytes charged for all rooms and members after the commit
   * @param add adds the writes; must not throw
   */
  async commit (bytes: number, add: (writes: Writes) => void): Promise<void> {
    if (this.#environment.isGone) throw new StoreUnavailable({ cause: this.#removal })
    let owned: boolean
    try {
      owned = await this.#owner.ifVersion('owner', this.#token, () => {
        add(this.#writes)
        // Makes every commit write to the disk. Needs no page of its own: a commit writes the main database, which has the roots
        // of the others.
        void this.#environment.root.put('bytes', bytes)
      })
    } catch (error) {
      // The reason is in a second promise, whose rejection would otherwise be unhandled.
      const { commitError = Promise.reject(error) } = error as { commitError?: Promise<never> }
      const reason: unknown = await commitError.catch((reason: unknown) => reason)
      throw isDamage(reason) ? this.#coded(reason) : new StoreUnavailable({ cause: reason })
    }
    if (!owned) {
      throw new StoreUnavailable({ cause: new StoreInUse(this.#environment.path, 'another process, which has taken it over') })
    }
    if (this.#environment.isGone) throw new StoreUnknown({ cause: this.#removal })
  }

  close (): Promise<void> { return this.#environment.close() }

  /** Runs a read. Converts errors as `codedError` does. @throws StoreDamaged, StoreUnavailable */
  reading<T> (read: () => T): T {
    try {
      return read()
    } catch (error) {
      throw this.#coded(error)
    }
  }

  get #removal (): Error { return new StoreDamaged(this.#environment.path, 'its data file was removed or replaced') }

  #coded (error: unknown): unknown {
    // A transaction that read a missing page fails all further reads, including those of other rooms.
    if (isDamage(error)) this.#environment.root.resetReadTxn()
    return codedError(this.#environment.path, error)
  }
}

/** Runs a step of opening a database. Converts errors as `openError` does. */
function opening<T> ({ path }: LmdbEnvironment, open: () => T): T {
  try {
    return open()
  } catch (error) {
    throw openError(path, error)
  }
}
