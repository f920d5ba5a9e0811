import { randomInt } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, openSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { open, type Database, type RootDatabase } from 'lmdb'
import { StoreDamaged, StoreInUse, StoreUnavailable } from '../errors.ts'
import { damageOf, damageOfBeginning } from './lmdb-file.ts'
import { newEpoch, type Epoch, type Head } from './lmdb-head.ts'
import type { Row } from './lmdb-row.ts'

/** Where what is to be stored is put; all of it is then committed, or nothing. */
export interface Changes {
  row (room: string, place: number, row: Row | undefined): void
  head (room: string, head: Head | undefined): void
  epoch (epoch: Epoch): void
  /** So that there is something. */
  touch (): void
}

/** LMDB's codes for a file that is not as it should be: a page missing or broken, another version, no LMDB file. */
const damages = [-30797, -30796, -30794, -30793]

/** bytes: of LMDB's lock file, which are places for processes; and more than it writes when it begins a data file. */
const [LOCKS, BEGINNING] = [16_384, 65_536]

/** What is open in this process, by its real path: LMDB would let a second one in. */
const opened = new Set<string>()

/** The LMDB directory of one store: the entries of its rooms, their heads, and whose it is. */
export class LmdbDatabase {
  readonly #path: string
  /** Checked in every commit, so that one that another took the directory from can't write. */
  readonly #token = randomInt(1, 2 ** 48 - 1)
  readonly #root: RootDatabase<unknown, string>
  readonly #rows: Database<Row, [room: string, place: number]>
  readonly #heads: Database<Head, string>
  /** Its values have versions: the owner's is its token. */
  readonly #owner: Database<unknown, string>
  readonly #changes: Changes

  /** @throws StoreInUse, StoreDamaged, StoreUnavailable */
  constructor (path: string) {
    this.#path = claim(path)
    let root: RootDatabase<unknown, string> | undefined
    try {
      prepare(this.#path)
      assertWhole(this.#path, damageOfBeginning)
      // Overlapping, members would see what a crash can take back. Batching a turn, a promise of its own is rejected unheard.
      root = open<unknown, string>({ path: this.#path, noSubdir: false, overlappingSync: false, eventTurnBatching: false })
      this.#root = root
      this.#assertAlone()
      assertWhole(this.#path, damageOf)
      const owner = root.openDB<unknown, string>('owner', { encoding: 'json', useVersions: true })
      const heads = this.#heads = root.openDB<Head, string>('heads', { encoding: 'json' })
      const rows = this.#rows = root.openDB<Row, [string, number]>('rows', { encoding: 'binary' })
      // Again: to open one gives up for a moment what others know us by.
      this.#assertAlone()
      owner.transactionSync(() => {
        owner.putSync('owner', { pid: process.pid }, this.#token)
        if (owner.get('epoch') === undefined) owner.putSync('epoch', newEpoch(), 0)
      })
      this.#owner = owner
      this.#changes = {
        row: (room, place, row) => row === undefined ? rows.remove([room, place]) : rows.put([room, place], row),
        head: (room, head) => head === undefined ? heads.remove(room) : heads.put(room, head),
        epoch: (epoch) => owner.put('epoch', epoch, 0),
        touch: () => owner.put('committed', Date.now(), 0)
      }
    } catch (error) {
      opened.delete(this.#path)
      root?.close().catch(() => { /* what went wrong is told already */ })
      throw this.#refusal(error)
    }
  }

  get epoch (): Epoch { return this.reading(() => this.#owner.get('epoch') as Epoch) }

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

  /**
   * Resolves once all of it is on disk; otherwise nothing of it is.
   * @param write puts what is to be committed; must not throw
   */
  async commit (write: (changes: Changes) => void): Promise<void> {
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
  }

  async close (): Promise<void> {
    await this.#root.close()
    opened.delete(this.#path)
  }

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

/** @throws StoreInUse, StoreUnavailable */
function claim (path: string): string {
  let directory: string
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    directory = realpathSync(path)
  } catch (cause) {
    throw new StoreUnavailable({ cause })
  }
  if (opened.has(directory)) throw new StoreInUse(directory, process.pid)
  opened.add(directory)
  return directory
}

/** @throws StoreDamaged */
function assertWhole (directory: string, damageOf: (directory: string) => string | undefined): void {
  const damage = damageOf(directory)
  if (damage !== undefined) throw new StoreDamaged(directory, damage)
}

/**
 * Fails where LMDB's opening would, which ends the process by SIGSEGV then. And LMDB would make its lock file with a hole
 * in it: SIGBUS, when the disk is too full to fill that.
 */
function prepare (directory: string): void {
  const [data, lock, space] = ['data.mdb', 'lock.mdb', 'space'].map((name) => join(directory, name)) as [string, string, string]
  if (!existsSync(lock)) writeWhole(lock, LOCKS)
  closeSync(openSync(lock, 'r+'))
  if (existsSync(data)) {
    closeSync(openSync(data, 'r+'))
  } else {
    writeWhole(space, BEGINNING)
    rmSync(space)
  }
}

function writeWhole (file: string, bytes: number): void {
  try {
    writeFileSync(file, Buffer.alloc(bytes), { mode: 0o600 })
  } catch (error) {
    rmSync(file, { force: true })
    throw error
  }
}
