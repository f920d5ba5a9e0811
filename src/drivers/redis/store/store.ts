import { randomBytes } from 'node:crypto'
import { StoreClosed } from '../../../errors.ts'
import { parsePosition } from '../../position.ts'
import { parseRevision } from '../../revision.ts'
import { RedisClient } from '../client/client.ts'
import type { ConnectionLog } from '../client/connection-log.ts'
import { AmendQueue, type AmendReply } from './amend-queue.ts'
import { AppendQueue, type AppendReply } from './append-queue.ts'
import { checkStore } from './check.ts'
import { Controls } from './controls.ts'
import { DeletedContents } from './deleted-contents.ts'
import { Evictions } from './evictions.ts'
import { FollowedRooms } from './followed-rooms.ts'
import { InFlight } from './in-flight.ts'
import { MemoryRecovery } from './memory-recovery.ts'
import { MissingRooms } from './missing-rooms.ts'
import { IndexedData } from './indexed-data.ts'
import { resolveOptions, type RedisStoreOptions } from './options.ts'
import type { ReadCursor } from '../../read-position.ts'
import { ReadPositions } from './read-positions.ts'
import { ReadQueue } from './read-queue.ts'
import { changeOf, cursorOf } from './record.ts'
import { RecordScripts } from './record-scripts.ts'
import { RoomIndex } from './room-index.ts'
import { RoomReader } from './room-reader.ts'
import { RoomScripts } from './room-scripts.ts'
import { StoreLimit } from './store-limit.ts'
import { UnreadQueue } from './unread-queue.ts'
import type { Amended, Amendment, ChangeCursor, Control } from '../../../change.ts'
import type { Appended, Cursor, Draft, Entry, Feed, FeedPage, Page, Position, Query, ReadPosition, Store } from '../../../store.ts'

/** ms between two polls of the followed rooms. */
const POLL_INTERVAL = 10_000

/** Bytes for which a read of one entry waits. A larger one is read too. */
const ENTRY_BYTES = 64 * 1024

/** A revision that no room has. */
const NEVER = { epoch: '?', at: 0, number: 0 }

/** A position that no room has. */
const NOWHERE = { epoch: '?', at: 0, offset: 0 }

/** A store in Redis, shared by many processes. Entries are as durable as the configuration of Redis makes them. */
export class RedisStore implements Store {
  readonly #processId = randomBytes(6).toString('base64url').replaceAll('-', '.')
  readonly #client: RedisClient
  readonly #scripts: RoomScripts
  readonly #records: RecordScripts
  readonly #index: RoomIndex
  readonly #recovery: MemoryRecovery
  readonly #evictions: Evictions
  readonly #appends: AppendQueue
  readonly #amends: AmendQueue
  readonly #controls: Controls
  readonly #readPositions: ReadPositions
  readonly #deleted: DeletedContents
  readonly #unread: UnreadQueue
  readonly #reader: RoomReader
  readonly #followed: FollowedRooms
  readonly #historyAge: number
  readonly #closeController = new AbortController()
  readonly #assertOpen = (): void => { if (this.#closing !== undefined) throw new StoreClosed() }
  #closing: Promise<void> | undefined

  /** @param pollInterval ms between two polls of the followed rooms; tests pass their own @param log logs failures of the connections */
  constructor (options: RedisStoreOptions = {}, pollInterval = POLL_INTERVAL, log?: ConnectionLog) {
    const { connection, room: limits, storeBytes, inFlightBytes, readBytes } = resolveOptions(options)
    const client = this.#client = new RedisClient(connection, log)
    this.#historyAge = limits.historyAge
    const scripts = this.#scripts = new RoomScripts(client, this.#processId, limits)
    const index = this.#index = new RoomIndex(client, this.#processId, limits)
    const { signal } = this.#closeController
    const records = this.#records = new RecordScripts(client)
    const data = new IndexedData(scripts, records)
    const missing = new MissingRooms({ client, index, data, signal })
    const recovery = this.#recovery = new MemoryRecovery({ client, index, data, missing, signal })
    this.#evictions = new Evictions({ client, index, data, missing, limit: new StoreLimit(client, storeBytes) })
    const inFlight = new InFlight(client.inFlight, inFlightBytes)
    this.#appends = new AppendQueue((room, posts) => this.#append(room, posts), inFlight)
    this.#amends = new AmendQueue((room, changes) => this.#amend(room, changes), inFlight)
    const queue = new ReadQueue(client.inFlight, readBytes)
    const deleted = this.#deleted = new DeletedContents(async (room) => index.use(room, await scripts.removeDeleted(room)))
    const reader = this.#reader = new RoomReader({ scripts, unread: this.#unread = new UnreadQueue(client, scripts), queue, recovery, index, deleted, limits })
    this.#followed = new FollowedRooms({
      client,
      scripts,
      index,
      deleted,
      read: (room, query) => reader.read(room, query, this.#assertOpen),
      pollInterval,
      renewInterval: limits.emptyTtl / 3
    })
    this.#readPositions = new ReadPositions({ scripts: records, queue, recovery, index, inFlight })
    this.#controls = new Controls({ scripts, recovery, index, inFlight, followed: this.#followed })
    client.checkWhenUp(() => this.check())
  }

  /** Resolves when Redis holds data of this format, or doesn't answer in time. Rejects with FST_CHAT_STORE_FORMAT. */
  async open (): Promise<void> { await this.#client.open() }

  append (room: string, draft: Draft): Promise<Appended> {
    return this.#closing === undefined ? this.#appends.append(room, draft) : Promise.reject(new StoreClosed())
  }

  async find (room: string, key: string): Promise<Cursor | undefined> {
    this.#assertOpen()
    return await this.#scripts.find(room, key)
  }

  async read (room: string, { limit, maxBytes, after, before, revision, for: member, use: isUse, readPosition }: Query): Promise<Page> {
    const position = parsePosition(after ?? before ?? '')
    const direction = after !== undefined ? 'after' : before !== undefined ? 'before' : 'newest'
    const { entries, complete, more, head, changed, moreChanged, oldest, unread } = await this.#reader.read(room, {
      direction,
      position,
      revision: revision === undefined ? undefined : parseRevision(revision) ?? NEVER,
      readPosition: readPosition === undefined ? undefined : parsePosition(readPosition) ?? NOWHERE,
      for: member,
      limit,
      maxBytes,
      maxAge: this.#historyAge,
      isUse
    }, this.#assertOpen)
    const change = changeOf(head.change)
    return {
      entries,
      complete,
      more,
      head: { ...cursorOf(head.position), change },
      changed,
      moreChanged,
      revision: moreChanged ? changed.at(-1)?.revision ?? revision! : change.revision,
      ...oldest !== undefined && { oldest: cursorOf(oldest).position },
      ...unread !== undefined && { unread }
    }
  }

  async get (room: string, position: Position, options: { readonly for?: string | undefined } = {}): Promise<Entry | undefined> {
    const query = { direction: 'at', position: parsePosition(position), for: options.for, limit: 1, maxBytes: ENTRY_BYTES, maxAge: this.#historyAge } as const
    const { entries, complete } = await this.#reader.read(room, query, this.#assertOpen)
    return complete ? entries[0] : undefined
  }

  async follow (room: string, deliver: (page: FeedPage) => void): Promise<Feed> {
    this.#assertOpen()
    return await this.#followed.follow(room, deliver, this.#assertOpen)
  }

  amend (room: string, position: Position, amendment: Amendment): Promise<Amended> {
    return this.#closing === undefined ? this.#amends.amend(room, position, amendment) : Promise.reject(new StoreClosed())
  }

  async control (room: string, control: Control): Promise<ChangeCursor> {
    this.#assertOpen()
    return await this.#controls.store(room, control)
  }

  async findChange (room: string, key: string): Promise<ChangeCursor | undefined> {
    this.#assertOpen()
    return await this.#scripts.findChange(room, key)
  }

  async markRead (memberId: string, positions: readonly ReadPosition[]): Promise<void> {
    this.#assertOpen()
    await this.#readPositions.mark(memberId, positions)
  }

  async readPositions (memberId: string, room?: string): Promise<readonly ReadPosition[]> {
    this.#assertOpen()
    return await this.#readPositions.read(memberId, room, this.#assertOpen)
  }

  async forgetRead (memberId: string, room: string, upTo?: ReadCursor): Promise<void> {
    this.#assertOpen()
    await this.#readPositions.forget(memberId, room, upTo?.position)
  }

  async * rooms (): AsyncGenerator<readonly string[]> {
    this.#assertOpen()
    for await (const names of this.#client.rooms('room')) {
      this.#assertOpen()
      // Without the rooms of checks, and the records of members.
      yield names.filter((name) => !name.startsWith('?'))
    }
  }

  async clear (room: string): Promise<void> {
    this.#assertOpen()
    this.#index.use(room, await this.#scripts.clear(room))
  }

  /** Rejects with FST_CHAT_STORE_DENIED if the Redis user lacks a permission. */
  async check (): Promise<void> {
    this.#assertOpen()
    await checkStore({ client: this.#client, processId: this.#processId, records: this.#records, index: this.#index, recovery: this.#recovery })
  }

  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close (): Promise<void> {
    this.#evictions.close()
    this.#closeController.abort()
    this.#appends.flush()
    this.#amends.flush()
    this.#readPositions.flush()
    this.#unread.flush()
    this.#deleted.flush()
    this.#followed.close()
    await this.#client.close()
  }

  async #append (room: string, posts: ReadonlyArray<string | number>): Promise<AppendReply> {
    const reply = await this.#recovery.run(room, () => this.#scripts.append(room, posts))
    const [charge, published] = reply
    this.#index.use(room, charge)
    // Redis stored the entries, but rejected PUBLISH. Other nodes find them by a poll.
    if (published === 0) this.#followed.catchUp(room)
    return reply
  }

  async #amend (room: string, changes: ReadonlyArray<string | number>): Promise<AmendReply> {
    const reply = await this.#recovery.run(room, () => this.#scripts.amend(room, changes))
    const [charge, published, , hasDeleted] = reply
    if (charge > 0) this.#index.use(room, charge)
    if (published === 0) this.#followed.catchUp(room)
    if (hasDeleted === 1) this.#deleted.removeSoon(room)
    return reply
  }
}
