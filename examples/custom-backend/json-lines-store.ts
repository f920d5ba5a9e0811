import { createHash, randomBytes } from 'node:crypto'
import { access, constants, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { errors } from 'fastify-chat'
import type { Amended, Amendment, Appended, ChangeCursor, Control, Cursor, Draft, Entry, Feed, FeedPage, Page, Position, Query, ReadPosition, Store } from 'fastify-chat'
import { KeptFile, type Disk } from './kept-file.ts'
import { Members } from './members.ts'
import { Room } from './room.ts'
import { RoomFile } from './room-file.ts'
import { RoomLog, type LogBounds } from './room-log.ts'

export interface JsonLinesOptions extends Partial<LogBounds> {
  /** for the files; created if it doesn't exist. Only one process may use it: nothing prevents a second one. */
  readonly path: string
  /** maximum bytes of all files; beyond it, posts are rejected until the app clears rooms, and marks remove the least recently used records. Default: 1 GiB */
  readonly storeBytes?: number | undefined
}

/** Number of the format of the files. */
const FORMAT = 1

/** Calls under way at the same time; more are rejected with BUSY. */
const MAX_CALLS = 2_000

/** Rooms in memory, unless more have followers. */
const MAX_ROOMS = 1_000

/**
 * A store that keeps each room in a file of JSON lines, and the read positions of members in another file. A room is read from its file
 * when it is used, and kept until the app clears it: there is no `roomTtl` and no `historyAge`.
 */
export class JsonLinesStore implements Store {
  readonly #path: string
  readonly #id: string
  readonly #bounds: LogBounds
  readonly #disk: Disk
  readonly #members: KeptFile<Members>
  /** The rooms in memory, the least recently used first. */
  readonly #rooms = new Map<string, Room>()
  #calls = 0
  #closed = false

  private constructor (id: string, usedBytes: number, { path, historyEntries = 1_000, historyBytes = 4 * 1024 * 1024, dedupWindow = 300_000, storeBytes = 1024 ** 3 }: JsonLinesOptions) {
    this.#path = path
    this.#id = id
    this.#bounds = { historyEntries, historyBytes, dedupWindow }
    this.#disk = { bytes: usedBytes, max: storeBytes }
    this.#members = new KeptFile(new RoomFile(join(path, 'members.lines')), this.#disk, () => new Members())
  }

  static async open (options: JsonLinesOptions): Promise<JsonLinesStore> {
    const file = new RoomFile(join(options.path, 'store.json'))
    const found = await file.read()
    const text = found ?? JSON.stringify({ format: FORMAT, id: randomBytes(16).toString('hex') })
    const { format, id } = JSON.parse(text) as { format?: number, id: string }
    if (format !== FORMAT) throw new errors.StoreFormat(`'${options.path}'`, format ?? 0, FORMAT)
    if (found === undefined) await file.replace(text)
    const names = await readdir(options.path)
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(options.path, name))).size))
    return new JsonLinesStore(id, sizes.reduce((sum, size) => sum + size, 0), options)
  }

  append (name: string, draft: Draft): Promise<Appended> { return this.#use(name, (room) => room.append(draft)) }

  find (name: string, key: string): Promise<Cursor | undefined> { return this.#use(name, (room) => room.find(key)) }

  read (name: string, query: Query): Promise<Page> { return this.#use(name, (room) => room.read(query)) }

  follow (name: string, deliver: (page: FeedPage) => void): Promise<Feed> { return this.#use(name, (room) => room.follow(deliver)) }

  get (name: string, position: Position, { for: member }: { readonly for?: string | undefined } = {}): Promise<Entry | undefined> {
    return this.#use(name, (room) => room.get(position, member))
  }

  amend (name: string, position: Position, amendment: Amendment): Promise<Amended> {
    return this.#use(name, (room) => room.amend(name, position, amendment))
  }

  control (name: string, control: Control): Promise<ChangeCursor> { return this.#use(name, (room) => room.control(control)) }

  findChange (name: string, key: string): Promise<ChangeCursor | undefined> { return this.#use(name, (room) => room.findChange(key)) }

  markRead (memberId: string, positions: readonly ReadPosition[]): Promise<void> {
    return this.#count(() => this.#members.call((members) => this.#members.add(members.mark(memberId, positions, this.#members.hasSpace))))
  }

  readPositions (memberId: string, room?: string): Promise<readonly ReadPosition[]> {
    return this.#count(() => this.#members.call((members) => {
      this.#members.add(members.use(memberId))
      return members.read(memberId).filter((position) => room === undefined || position.room === room)
    }))
  }

  forgetRead (memberId: string, room: string, upTo?: Omit<ReadPosition, 'room'>): Promise<void> {
    return this.#count(() => this.#members.call((members) => this.#members.add(members.forget(memberId, room, upTo))))
  }

  async * rooms (): AsyncGenerator<string[]> {
    this.#assertOpen()
    const files = await readdir(this.#path)
    yield files.flatMap((file) => file.endsWith('.jsonl') ? [Buffer.from(file.slice(0, -'.jsonl'.length), 'hex').toString()] : [])
  }

  clear (name: string): Promise<void> { return this.#use(name, (room) => room.clear()) }

  async check (): Promise<void> {
    this.#assertOpen()
    await access(this.#path, constants.W_OK).catch((cause: unknown) => { throw new errors.StoreUnavailable({ cause }) })
  }

  async close (): Promise<void> {
    this.#closed = true
    await Promise.all([this.#members, ...this.#rooms.values()].map((each) => each.close()))
  }

  #assertOpen (): void {
    if (this.#closed) throw new errors.StoreClosed()
  }

  #use<T> (name: string, call: (room: Room) => Promise<T>): Promise<T> { return this.#count(() => call(this.#room(name))) }

  /** Bounds the calls under way. */
  async #count<T> (call: () => Promise<T>): Promise<T> {
    this.#assertOpen()
    if (this.#calls >= MAX_CALLS) throw new errors.StoreBusy()
    this.#calls++
    try {
      return await call()
    } finally {
      this.#calls--
    }
  }

  #room (name: string): Room {
    const room = this.#rooms.get(name) ?? this.#newRoom(name)
    this.#rooms.delete(name)
    this.#rooms.set(name, room)
    return room
  }

  #newRoom (name: string): Room {
    for (const [other, room] of this.#rooms) {
      if (this.#rooms.size < MAX_ROOMS) break
      if (room.isIdle) this.#rooms.delete(other)
    }
    // The first epoch of a room follows from its name, so that the position of an empty room needs no file.
    const epoch = createHash('sha256').update(`${this.#id} ${name}`).digest('hex').slice(0, 24)
    // Hexadecimal, because file systems may ignore case and reserve names.
    const file = new RoomFile(join(this.#path, `${Buffer.from(name).toString('hex')}.jsonl`))
    return new Room(file, this.#disk, () => new RoomLog(epoch, this.#bounds))
  }
}
