import { StoreClosed } from '../../errors.ts'
import { readPage } from '../page.ts'
import { sweepInterval } from '../sweep-interval.ts'
import { LmdbCommits } from './commits.ts'
import { LmdbDatabase } from './database.ts'
import { LmdbFeeds } from './feeds.ts'
import { isKept, type RoomHead } from './head.ts'
import { assertMember, assertRoom } from './key-bounds.ts'
import { resolveLimits, type Limits, type LmdbStoreOptions } from './options.ts'
import { LmdbPageSource } from './page-source.ts'
import type { ReadCursor } from '../read-position.ts'
import { LmdbReadPositions } from './read-positions.ts'
import { encodeRecord } from './record.ts'
import { LmdbRooms } from './rooms.ts'
import { changeCost, contentCost, markCost, WRITE } from './write-cost.ts'
import type { Amended, Amendment, ChangeCursor, Control } from '../../change.ts'
import type { Appended, Cursor, Draft, Entry, Feed, FeedPage, Page, Position, Query, ReadPosition, Store } from '../../store.ts'

/** Rooms that `rooms` reads at once. */
const ROOMS_PER_PAGE = 100

/** A store in a local directory. Acknowledged entries are on disk and outlive the process. */
export class LmdbStore implements Store {
  readonly #database: LmdbDatabase
  readonly #feeds = new LmdbFeeds()
  readonly #positions: LmdbReadPositions
  readonly #rooms: LmdbRooms
  readonly #commits: LmdbCommits
  readonly #historyAge: number
  readonly #sweep: NodeJS.Timeout
  readonly #closing = new AbortController()
  #sweeping: Promise<void> | undefined
  #closed: Promise<void> | undefined

  private constructor (database: LmdbDatabase, limits: Limits) {
    this.#historyAge = limits.historyAge
    this.#database = database
    this.#positions = new LmdbReadPositions(database)
    const rooms = this.#rooms = new LmdbRooms(database, limits, this.#feeds, this.#positions)
    this.#commits = new LmdbCommits({
      commit: () => rooms.commit(),
      settled: (committed) => this.#settled(committed),
      hasPendingWork: () => rooms.hasPendingWork
    }, limits)
    this.#sweep = setInterval(() => this.#sweepRooms(), sweepInterval(limits)).unref()
  }

  /**
   * Opens the store of a directory. Rejects with StoreInUse, StoreDamaged, StoreFormat or StoreUnusable.
   * @param commitTimeout ms; tests pass their own
   */
  static async open ({ path, verify, ...bounds }: LmdbStoreOptions, commitTimeout?: number): Promise<LmdbStore> {
    return new LmdbStore(await LmdbDatabase.open(path, verify), resolveLimits(bounds, commitTimeout))
  }

  append (room: string, draft: Draft): Promise<Appended> {
    try {
      assertRoom(room)
      const record = encodeRecord(draft)
      return this.#write(WRITE + 2 * record.length + contentCost(draft), () => this.#rooms.append(room, record, draft))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async find (room: string, key: string): Promise<Cursor | undefined> {
    return this.#read(room, () => this.#rooms.find(room, key))
  }

  async read (room: string, query: Query): Promise<Page> {
    return this.#read(room, () => readPage(this.#pageSource(room, query.use), query))
  }

  async get (room: string, position: Position, options?: { readonly for?: string | undefined }): Promise<Entry | undefined> {
    return this.#read(room, () => {
      const source = this.#pageSource(room)
      const index = source.indexOf(position)
      return index === undefined || index < source.first ? undefined : source.entryAt(index, options?.for)
    })
  }

  async follow (room: string, deliver: (page: FeedPage) => void): Promise<Feed> {
    return this.#read(room, () => {
      this.#use(room)
      const { head, stop } = this.#rooms.follow(room, deliver)
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

  async amend (room: string, position: Position, amendment: Amendment): Promise<Amended> {
    assertRoom(room)
    return await this.#write(WRITE + changeCost(amendment), () => this.#rooms.amend(room, position, amendment))
  }

  async control (room: string, control: Control): Promise<ChangeCursor> {
    assertRoom(room)
    const text = JSON.stringify(control)
    // The text, its copy in the row, and the control that followers receive.
    return await this.#write(WRITE + 4 * text.length + Buffer.byteLength(text), () => this.#rooms.control(room, text))
  }

  async findChange (room: string, key: string): Promise<ChangeCursor | undefined> {
    return this.#read(room, () => this.#rooms.findChange(room, key))
  }

  async markRead (memberId: string, positions: readonly ReadPosition[]): Promise<void> {
    assertMember(memberId)
    for (const { room } of positions) assertRoom(room)
    // The caller may change its array before the commit.
    const copies = positions.map(({ room, offset, position, at }) => ({ room, offset, position, at }))
    await this.#write(WRITE + markCost(copies, this.#storedBytes(memberId)), () => {
      this.#rooms.assertSpace()
      this.#positions.mark(memberId, copies)
    })
  }

  async readPositions (memberId: string, room?: string): Promise<readonly ReadPosition[]> {
    this.#assertOpen()
    assertMember(memberId)
    return this.#database.reading(() => {
      const positions = this.#positions.read(memberId)
      if (this.#positions.use(memberId)) this.#commits.start()
      return room === undefined ? positions : positions.filter((position) => position.room === room)
    })
  }

  async forgetRead (memberId: string, room: string, upTo?: ReadCursor): Promise<void> {
    assertMember(memberId)
    await this.#write(WRITE + markCost([], this.#storedBytes(memberId)), () => this.#positions.forget(memberId, room, upTo))
  }

  async * rooms (): AsyncGenerator<string[]> {
    let rooms: ReturnType<LmdbDatabase['rooms']> = []
    do {
      this.#assertOpen()
      rooms = this.#database.rooms(rooms.at(-1), ROOMS_PER_PAGE)
      const kept = rooms.filter(({ head }) => isKept(head))
      if (kept.length > 0) yield kept.map(({ room }) => room)
    } while (rooms.length > 0)
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
    this.#assertOpen()
    assertRoom(room)
    return this.#database.reading(read)
  }

  #assertOpen (): void {
    if (this.#closed !== undefined) throw new StoreClosed()
  }

  /** Returns the bytes of a member's read positions on disk. */
  #storedBytes (memberId: string): number {
    this.#assertOpen()
    return this.#positions.bytesOf(memberId)
  }

  /** Returns the state of a room on disk. @param isUse whether this counts as a use */
  #pageSource (room: string, isUse = true): LmdbPageSource {
    const head = this.#rooms.head(room)
    if (isUse) this.#use(room, head)
    return new LmdbPageSource(this.#database, room, head, Date.now() - this.#historyAge)
  }

  #use (room: string, head?: RoomHead): void {
    if (this.#rooms.use(room, head)) this.#commits.start()
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
