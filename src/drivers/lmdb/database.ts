import { randomInt } from 'node:crypto'
import { open, type Database, type RootDatabase } from 'lmdb'
import { StoreDamaged, StoreInUse, StoreUnavailable, StoreUnknown } from '../../errors.ts'
import { claimDirectory, identityOfFile, prepareFiles, releaseDirectory } from './directory.ts'
import { damageOf, damageOfBeginning } from './file.ts'
import { newEpoch, type Epoch, type Head } from './head.ts'
import type { Row } from './record.ts'

/** Where what is to be stored is put; all of it is then committed, or nothing. */
export interface Changes {
  row (room: string, place: number, row: Row | undefined): void
  head (room: string, head: Head | undefined): void
  epoch (epoch: Epoch): void
  /** Adds a room to the order of use, or takes it out. at: ms */
  use (room: string, at: number, isLast: boolean): void
  /** bytes charged for all rooms */
  bytes (bytes: number): void
  /** So that there is something. */
  touch (): void
}

/** LMDB's codes for a file that is not as it should be: a page missing or broken, another version, no LMDB file. */
const damages = [-30797, -30796, -30794, -30793]

/** The LMDB directory of one store: the entries of its rooms, their heads, and whose it is. */
export class LmdbDatabase {
  readonly #path: string
  /** Checked in every commit, so that one that another took the directory from can't write. */
  readonly #token = randomInt(1, 2 ** 48 - 1)
  readonly #root: RootDatabase<unknown, string>
  readonly #rows: Database<Row, [room: string, place: number]>
  readonly #heads: Database<Head, string>
  /** The rooms in the order of their last uses; the values say nothing. */
  readonly #uses: Database<number, [used: number, room: string]>
  /** Its values have versions: the owner's is its token. */
  readonly #owner: Database<unknown, string>
  readonly #changes: Changes
  /** Of the data file that is open. */
  readonly #identity: string | undefined

  /** @throws StoreInUse, StoreDamaged, StoreUnavailable */
  constructor (path: string) {
    this.#path = claimDirectory(path)
    let root: RootDatabase<unknown, string> | undefined
    try {
      prepareFiles(this.#path)
      assertWhole(this.#path, damageOfBeginning)
      // Overlapping, members would see what a crash can take back. Batching a turn, a promise of its own is rejected unheard.
      root = open<unknown, string>({ path: this.#path, noSubdir: false, overlappingSync: false, eventTurnBatching: false })
      this.#root = root
      this.#assertAlone()
      assertWhole(this.#path, damageOf)
      const owner = root.openDB<unknown, string>('owner', { encoding: 'json', useVersions: true })
      const heads = this.#heads = root.openDB<Head, string>('heads', { encoding: 'json' })
      const rows = this.#rows = root.openDB<Row, [string, number]>('rows', { encoding: 'binary' })
      const uses = this.#uses = root.openDB<number, [number, string]>('uses', { encoding: 'json' })
      // Again: to open one gives up for a moment what others know us by.
      this.#assertAlone()
      owner.transactionSync(() => {
        owner.putSync('owner', { pid: process.pid }, this.#token)
        if (owner.get('epoch') === undefined) owner.putSync('epoch', newEpoch(), 0)
        if (owner.get('bytes') === undefined) owner.putSync('bytes', 0, 0)
      })
      this.#owner = owner
      this.#identity = identityOfFile(this.#path)
      this.#changes = {
        row: (room, place, row) => row === undefined ? rows.remove([room, place]) : rows.put([room, place], row),
        head: (room, head) => head === undefined ? heads.remove(room) : heads.put(room, head),
        epoch: (epoch) => owner.put('epoch', epoch, 0),
        use: (room, at, isLast) => isLast ? uses.put([at, room], 0) : uses.remove([at, room]),
        bytes: (bytes) => owner.put('bytes', bytes, 0),
        touch: () => owner.put('committed', Date.now(), 0)
      }
    } catch (error) {
      releaseDirectory(this.#path)
      root?.close().catch(() => { /* what went wrong is told already */ })
      throw this.#refusal(error)
    }
  }

  get epoch (): Epoch { return this.reading(() => this.#owner.get('epoch') as Epoch) }

  /** Bytes charged for all rooms. */
  get bytes (): number { return this.reading(() => this.#owner.get('bytes') as number) }

  head (room: string): Head | undefined { return this.reading(() => this.#heads.get(room)) }

  entry (room: string, place: number): Row {
    const row = this.row(room, place)
    if (row === undefined) throw new StoreDamaged(this.#path, `entry ${place} of the room '${room}' is missing`)
    return row
  }

  /** An entry, or what is left of it. */
  row (room: string, place: number): Row | undefined { return this.reading(() => this.#rows.getBinary([room, place])) }

  /** The rows of a room after one place and up to another. */
  rows (room: string, after: number, last: number): Array<{ place: number, row: Row }> {
    const range = { start: [room, after + 1] as [string, number], end: [room, last + 1] as [string, number] }
    return this.reading(() => Array.from(this.#rows.getRange(range), ({ key: [, place], value }) => ({ place, row: value })))
  }

  /** Some rooms, in order, after one. */
  rooms (after: string | undefined, limit: number): Array<{ room: string, head: Head }> {
    const range = { ...after !== undefined && { start: after, exclusiveStart: true }, limit }
    return this.reading(() => Array.from(this.#heads.getRange(range), ({ key, value }) => ({ room: key, head: value })))
  }

  /** All rooms, read as they are needed, those first that nobody used for longest. */
  * leastUsed (): Generator<{ used: number, room: string }> {
    try {
      for (const [used, room] of this.#uses.getKeys()) yield { used, room }
    } catch (error) {
      throw this.#refusal(error)
    }
  }

  /**
   * Resolves once all of it is on disk; otherwise nothing of it is, but for what is UNKNOWN: it went to a file that was
   * removed or replaced meanwhile.
   * @param write puts what is to be committed; must not throw
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
      // The reason comes on a promise of its own, which would be an unhandled rejection.
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

  /** The lock by which LMDB knows the processes that have it open dies with them. */
  #assertAlone (): void {
    this.#root.useReadTransaction().done()
    this.#root.readerCheck()
    const pids = this.#root.readerList().matchAll(/^ *(\d+) +[\da-f]+ /gm)
    for (const [, pid] of pids) if (Number(pid) !== process.pid) throw new StoreInUse(this.#path, pid)
  }

  /** What can't be read as it should is damaged. @throws StoreDamaged, StoreUnavailable, and what has a code of ours */
  reading<T> (read: () => T): T {
    try {
      return read()
    } catch (error) {
      throw this.#refusal(error)
    }
  }

  #refusal (error: unknown): unknown {
    const { code, message } = error as { code?: unknown, message: string }
    if (String(code).startsWith('FST_CHAT_')) return error
    const damaged = damages.includes(Number(code)) || [SyntaxError, RangeError, TypeError].some((kind) => error instanceof kind)
    return damaged ? new StoreDamaged(this.#path, message, { cause: error }) : new StoreUnavailable({ cause: error })
  }
}

/** @throws StoreDamaged */
function assertWhole (directory: string, damageOf: (directory: string) => string | undefined): void {
  const damage = damageOf(directory)
  if (damage !== undefined) throw new StoreDamaged(directory, damage)
}
