import { assertPosition } from '../../argument-checks.ts'
import { check, limit, milliseconds, ttl, type Checks } from '../../checks.ts'
import { InvalidRoom, StoreClosed } from '../../errors.ts'
import { LmdbCommits, type CommitLimits } from './commits.ts'
import { LmdbDatabase } from './database.ts'
import type { StoreLimits } from './evictions.ts'
import { LmdbFeeds } from './feeds.ts'
import type { LogLimits } from './log.ts'
import { readPage } from './page.ts'
import { LmdbRooms, type CacheLimits } from './rooms.ts'
import { encodeRow } from './record.ts'
import type { Store, Draft, Feed, Cursor, Page, Position, Query } from '../../store.ts'

/** The directory of an LMDB store, and its bounds, each with its default. */
export interface LmdbStoreOptions {
  /** the directory, created if necessary; one store at a time may use it */
  readonly path: string
  /**
   * reads all pages of the data file before the store opens, so that damage is rejected at once: about a second for each GiB,
   * during which the event loop is blocked; false
   */
  readonly verify?: boolean | undefined
  /** entries kept per room; 1,000 */
  readonly historyEntries?: number | undefined
  /** bytes kept per room; 4 MiB */
  readonly historyBytes?: number | undefined
  /** bytes on disk of all rooms together, as charged; the least recently used room is removed first; 1 GiB */
  readonly storeBytes?: number | undefined
  /** ms after its last use that a room is removed; 30 days */
  readonly roomTtl?: number | undefined
  /** ms that an entry is kept; Infinity */
  readonly historyAge?: number | undefined
  /** ms that a key is remembered at least, unless there are more than ten times `historyEntries`; 5 min */
  readonly keyLife?: number | undefined
  /** writes that may wait for the disk; 10,000 */
  readonly inFlight?: number | undefined
  /** bytes of memory of the writes that wait for the disk; 64 MiB */
  readonly inFlightBytes?: number | undefined
  /** bytes of memory of cached room heads and keys; 64 MiB */
  readonly cacheBytes?: number | undefined
  /** ms after which a commit's outcome counts as unknown; 10 s */
  readonly commitTimeout?: number | undefined
}

type Limits = LogLimits & StoreLimits & CommitLimits & CacheLimits

const checks: Checks<LmdbStoreOptions> = {
  path: { mustBe: 'a directory', passes: (value) => typeof value === 'string' && value !== '' },
  verify: { mustBe: 'true or false', passes: (value) => typeof value === 'boolean' },
  historyEntries: limit,
  historyBytes: limit,
  storeBytes: limit,
  roomTtl: limit,
  historyAge: limit,
  keyLife: ttl(0),
  inFlight: limit,
  inFlightBytes: limit,
  cacheBytes: limit,
  commitTimeout: milliseconds(1)
}

/** Longest time between two sweeps of quiet rooms, in ms. */
const MAX_SWEEP_INTERVAL = 60_000

/** Shortest time between two sweeps, in ms. */
const MIN_SWEEP_INTERVAL = 1_000

/** Bytes of memory of a write without its row and content: promise, closures and queue slots. The row is copied once. */
const WRITE = 1_500

/** Longest room name in bytes: longer ones don't fit LMDB's keys. */
const ROOM_NAME = 512

/** A store in a local directory. Acknowledged entries are on disk and outlive the process. */
export class LmdbStore implements Store {
  readonly #database: LmdbDatabase
  readonly #feeds = new LmdbFeeds()
  readonly #rooms: LmdbRooms
  readonly #commits: LmdbCommits
  readonly #historyAge: number
  readonly #sweep: NodeJS.Timeout
  readonly #closing = new AbortController()
  #sweeping: Promise<void> | undefined
  #closed: Promise<void> | undefined

  /** @throws InvalidOption, StoreInUse, StoreDamaged, StoreUnavailable */
  constructor (options: LmdbStoreOptions) {
    const {
      path,
      verify = false,
      historyEntries = 1_000,
      historyBytes = 4 * 1024 * 1024,
      storeBytes = 1024 * 1024 * 1024,
      roomTtl = 30 * 24 * 60 * 60 * 1_000,
      historyAge = Infinity,
      keyLife = 5 * 60 * 1_000,
      inFlight = 10_000,
      inFlightBytes = 64 * 1024 * 1024,
      cacheBytes = 64 * 1024 * 1024,
      commitTimeout = 10_000,
      ...unknown
    } = options
    const limits: Limits = { historyEntries, historyBytes, storeBytes, roomTtl, historyAge, keyLife, inFlight, inFlightBytes, cacheBytes, commitTimeout }
    // The only option that has no default.
    check({ ...limits, path: path ?? null, verify, ...unknown }, checks)
    this.#historyAge = historyAge
    this.#database = LmdbDatabase.open(path, verify)
    const rooms = this.#rooms = new LmdbRooms(this.#database, limits, this.#feeds)
    this.#commits = new LmdbCommits({
      commit: () => rooms.commit(),
      settled: (committed) => this.#settled(committed),
      hasRest: () => rooms.hasRest
    }, limits)
    const interval = Math.max(MIN_SWEEP_INTERVAL, Math.min(historyAge, roomTtl, MAX_SWEEP_INTERVAL))
    this.#sweep = setInterval(() => this.#sweepRooms(), interval).unref()
  }

  append (room: string, draft: Draft): Promise<Cursor & { again: boolean }> {
    try {
      assertRoom(room)
      const row = encodeRow(draft)
      return this.#write(WRITE + 2 * row.length + contentCost(draft), () => this.#rooms.append(room, row, draft))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async find (room: string, key: string): Promise<Cursor | undefined> {
    return this.#read(room, () => this.#rooms.find(room, key))
  }

  async read (room: string, query: Query): Promise<Page> {
    return this.#read(room, () => {
      this.#use(room)
      return readPage(this.#database, room, this.#rooms.head(room), query, Date.now() - this.#historyAge)
    })
  }

  async follow (room: string, deliver: (page: Page) => void): Promise<Feed> {
    return this.#read(room, () => {
      this.#use(room)
      const { head, stop } = this.#feeds.follow(room, this.#rooms.newest(room), deliver)
      return {
        head,
        stop: () => {
          stop()
          // Following counts as use until now.
          if (this.#closed === undefined) this.#use(room)
        }
      }
    })
  }

  async erase (room: string, position: Position): Promise<void> {
    assertRoom(room)
    assertPosition('position', position)
    await this.#write(WRITE, () => this.#rooms.erase(room, position))
  }

  async clear (room: string): Promise<void> {
    assertRoom(room)
    await this.#write(WRITE, () => this.#rooms.clear(room))
  }

  async check (): Promise<void> {
    await this.#write(0, () => this.#rooms.touch())
  }

  close (): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close (): Promise<void> {
    clearInterval(this.#sweep)
    this.#closing.abort()
    this.#feeds.close()
    // The directory stays claimed while a commit may still write to it.
    if (await this.#commits.close()) await this.#database.close()
  }

  #write<T> (bytes: number, stage: () => T): Promise<T> {
    return this.#commits.add(bytes, () => this.#database.reading(stage))
  }

  #read<T> (room: string, read: () => T): T {
    if (this.#closed !== undefined) throw new StoreClosed()
    assertRoom(room)
    return this.#database.reading(read)
  }

  #use (room: string): void {
    if (this.#rooms.use(room)) this.#commits.start()
  }

  #settled (committed: boolean | undefined): void {
    this.#rooms.settled(committed)
    if (committed === true) this.#feeds.deliver()
    else if (committed === false) this.#feeds.drop()
    else this.#feeds.doubt((room) => this.#rooms.newest(room))
  }

  #sweepRooms (): void {
    this.#sweeping ??= this.#rooms.sweep(this.#closing.signal, () => this.#commits.start())
      .catch((error: Error) => process.emitWarning(error))
      .finally(() => { this.#sweeping = undefined })
  }
}

/** Returns the bytes of memory of a draft's content, which is kept until it is on disk. */
function contentCost ({ body, data = '' }: Draft): number {
  return (typeof body === 'string' ? 2 * body.length : body.byteLength) + 2 * data.length
}

function assertRoom (room: string): void {
  if (Buffer.byteLength(room) > ROOM_NAME || room === '') throw new InvalidRoom(room)
}
