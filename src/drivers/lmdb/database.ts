import { randomInt } from 'node:crypto'
import { open, type Database, type RootDatabase } from 'lmdb'
import { StoreDamaged, StoreInUse, StoreUnavailable, StoreUnknown } from '../../errors.ts'
import { claimDirectory, identityOfFile, prepareFiles, releaseDirectory } from './directory.ts'
import { damageOf, damageOfBeginning } from './file.ts'
import { newEpoch, type Epoch, type Head } from './head.ts'
import type { Row } from './record.ts'

/** Collects the changes of one commit, which is atomic. An undefined row or head is removed. */
export interface Changes {
  row (room: string, index: number, row: Row | undefined): void
  head (room: string, head: Head | undefined): void
  epoch (epoch: Epoch): void
  /** Adds a room's record to the order of use, or removes it. @param at time of the use, ms */
  use (room: string, at: number, isLast: boolean): void
  /** Sets the bytes charged for all rooms. */
  bytes (bytes: number): void
  /** Writes a time stamp, so that no commit is empty. */
  touch (): void
}

/** LMDB's error codes for a damaged file: missing page, broken page, wrong version, not an LMDB file. */
const damageCodes = [-30797, -30796, -30794, -30793]

/** The LMDB database of one store: rows and heads of its rooms, their order of use, and the owner of the directory. */
export class LmdbDatabase {
  readonly #path: string
  /** Checked in every commit: a store whose directory was taken over by another process can't write. */
  readonly #token = randomInt(1, 2 ** 48 - 1)
  readonly #root: RootDatabase<unknown, string>
  readonly #rows: Database<Row, [room: string, index: number]>
  readonly #heads: Database<Head, string>
  /** The rooms in the order of their last uses. The values are unused. */
  readonly #uses: Database<number, [used: number, room: string]>
  /** The version of the value 'owner' is the owner's token. */
  readonly #owner: Database<unknown, string>
  readonly #changes: Changes
  /** Device and inode of the open data file. */
  readonly #identity: string | undefined

  /** @throws StoreInUse, StoreDamaged, StoreUnavailable */
  constructor (path: string) {
    this.#path = claimDirectory(path)
    let root: RootDatabase<unknown, string> | undefined
    try {
      prepareFiles(this.#path)
      assertWhole(this.#path, damageOfBeginning)
      // overlappingSync would show members what a crash can undo. eventTurnBatching would leave a rejection unhandled.
      root = open<unknown, string>({ path: this.#path, noSubdir: false, overlappingSync: false, eventTurnBatching: false })
      this.#root = root
      this.#assertAlone()
      assertWhole(this.#path, damageOf)
      const owner = root.openDB<unknown, string>('owner', { encoding: 'json', useVersions: true })
      const heads = this.#heads = root.openDB<Head, string>('heads', { encoding: 'json' })
      const rows = this.#rows = root.openDB<Row, [string, number]>('rows', { encoding: 'binary' })
      const uses = this.#uses = root.openDB<number, [number, string]>('uses', { encoding: 'json' })
      // Again: opening a database releases our reader slot, by which other processes detect us, for a moment.
      this.#assertAlone()
      owner.transactionSync(() => {
        owner.putSync('owner', { pid: process.pid }, this.#token)
        if (owner.get('epoch') === undefined) owner.putSync('epoch', newEpoch(), 0)
        if (owner.get('bytes') === undefined) owner.putSync('bytes', 0, 0)
      })
      this.#owner = owner
      this.#identity = identityOfFile(this.#path)
      this.#changes = {
        row: (room, index, row) => row === undefined ? rows.remove([room, index]) : rows.put([room, index], row),
        head: (room, head) => head === undefined ? heads.remove(room) : heads.put(room, head),
        epoch: (epoch) => owner.put('epoch', epoch, 0),
        use: (room, at, isLast) => isLast ? uses.put([at, room], 0) : uses.remove([at, room]),
        bytes: (bytes) => owner.put('bytes', bytes, 0),
        touch: () => owner.put('committed', Date.now(), 0)
      }
    } catch (error) {
      releaseDirectory(this.#path)
      root?.close().catch(() => { /* the error that led here is thrown below */ })
      throw this.#coded(error)
    }
  }

  get epoch (): Epoch { return this.reading(() => this.#owner.get('epoch') as Epoch) }

  /** Bytes charged for all rooms. */
  get bytes (): number { return this.reading(() => this.#owner.get('bytes') as number) }

  head (room: string): Head | undefined { return this.reading(() => this.#heads.get(room)) }

  entry (room: string, index: number): Row {
    const row = this.row(room, index)
    if (row === undefined) throw new StoreDamaged(this.#path, `entry ${index} of the room '${room}' is missing`)
    return row
  }

  /** Returns the row of an entry, perhaps trimmed; undefined if there is none. */
  row (room: string, index: number): Row | undefined { return this.reading(() => this.#rows.getBinary([room, index])) }

  /** Returns the rows of a room after one index, up to and including another. */
  rows (room: string, after: number, last: number): Array<{ index: number, row: Row }> {
    const range = { start: [room, after + 1] as [string, number], end: [room, last + 1] as [string, number] }
    return this.reading(() => Array.from(this.#rows.getRange(range), ({ key: [, index], value }) => ({ index, row: value })))
  }

  /** Returns up to `limit` rooms in the order of their names, after a given one. */
  rooms (after: string | undefined, limit: number): Array<{ room: string, head: Head }> {
    const range = { ...after !== undefined && { start: after, exclusiveStart: true }, limit }
    return this.reading(() => Array.from(this.#heads.getRange(range), ({ key, value }) => ({ room: key, head: value })))
  }

  /** Yields all rooms, the least recently used first. */
  * leastUsed (): Generator<{ used: number, room: string }> {
    try {
      for (const [used, room] of this.#uses.getKeys()) yield { used, room }
    } catch (error) {
      throw this.#coded(error)
    }
  }

  /**
   * Commits changes atomically. Resolves once they are on disk. Rejects with UNKNOWN if the data file was removed or replaced
   * meanwhile, with UNAVAILABLE if nothing was written.
   * @param write adds the changes; must not throw
   */
  async commit (write: (changes: Changes) => void): Promise<void> {
    if (this.#isGone) throw new StoreUnavailable({ cause: this.#removal })
    let owned: boolean
    try {
      owned = await this.#owner.ifVersion('owner', this.#token, () => {
        this.#changes.touch()
        write(this.#changes)
      })
    } catch (error) {
      // The reason is on a second promise, which would be an unhandled rejection.
      const { commitError = Promise.reject(error) } = error as { commitError?: Promise<never> }
      throw new StoreUnavailable({ cause: await commitError.catch((reason: unknown) => reason) })
    }
    if (!owned) throw new StoreUnavailable({ cause: new StoreInUse(this.#path, 'another, which took it over') })
    if (this.#isGone) throw new StoreUnknown({ cause: this.#removal })
  }

  async close (): Promise<void> {
    await this.#root.close()
    releaseDirectory(this.#path)
  }

  get #isGone (): boolean { return identityOfFile(this.#path) !== this.#identity }

  get #removal (): Error { return new StoreDamaged(this.#path, 'its data file was removed or replaced') }

  /** Checks that no other process has the database open. The lock of a dead process is gone. @throws StoreInUse */
  #assertAlone (): void {
    this.#root.useReadTransaction().done()
    this.#root.readerCheck()
    const pids = this.#root.readerList().matchAll(/^ *(\d+) +[\da-f]+ /gm)
    for (const [, pid] of pids) if (Number(pid) !== process.pid) throw new StoreInUse(this.#path, pid)
  }

  /** Runs a read. Maps errors of LMDB and of decoding, and passes on our own. @throws StoreDamaged, StoreUnavailable */
  reading<T> (read: () => T): T {
    try {
      return read()
    } catch (error) {
      throw this.#coded(error)
    }
  }

  #coded (error: unknown): unknown {
    const { code, message } = error as { code?: unknown, message: string }
    if (String(code).startsWith('FST_CHAT_')) return error
    const damaged = damageCodes.includes(Number(code)) || [SyntaxError, RangeError, TypeError].some((kind) => error instanceof kind)
    return damaged ? new StoreDamaged(this.#path, message, { cause: error }) : new StoreUnavailable({ cause: error })
  }
}

/** @throws StoreDamaged */
function assertWhole (directory: string, damageOf: (directory: string) => string | undefined): void {
  const damage = damageOf(directory)
  if (damage !== undefined) throw new StoreDamaged(directory, damage)
}
