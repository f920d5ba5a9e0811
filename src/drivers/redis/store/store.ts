import { randomBytes } from 'node:crypto'
import { assertPosition } from '../../../argument-checks.ts'
import { check, limit, milliseconds, ttl, type Checks } from '../../../checks.ts'
import { StoreClosed } from '../../../errors.ts'
import { RedisLink, type RedisOptions } from '../client/client.ts'
import { checks as linkChecks } from '../client/options.ts'
import { isOutOfMemory } from '../client/reply-errors.ts'
import { tryOut } from '../client/permissions.ts'
import { RedisAppends, repeated } from './append-queue.ts'
import { Evictions } from './evictions.ts'
import { RedisFeed, type Stretch } from './feed.ts'
import { evict } from './index-scripts.ts'
import { RoomIndex } from './room-index.ts'
import { RedisReads } from './read-queue.ts'
import { encode, entryOf, markOf, placeOf, type Content, type Place } from './record.ts'
import { append, eraseEntry, eraseRoom, look, read } from './scripts.ts'
import type { Store, Draft, Feed, Cursor, Page, Position, Query } from '../../../store.ts'

/** Options of a RedisStore, each with its default. */
export interface RedisStoreOptions extends RedisOptions {
  /** entries kept per room, and up to a tenth more between two trims; 1,000 */
  readonly historyEntries?: number | undefined
  /** bytes kept per room, as charged by Redis' memory use; 4 MiB */
  readonly historyBytes?: number | undefined
  /** minimum ms that a post's key is remembered, unless a room has more than ten times `historyEntries` keys; 5 min */
  readonly keyLife?: number | undefined
  /**
   * bytes kept of all rooms together, as charged by Redis' memory use; must be the same on all nodes; half of Redis'
   * `maxmemory`, or 256 MiB if it has none or it can't be read. Beyond it, rooms without followers are evicted, the least
   * recently used first.
   */
  readonly storeBytes?: number | undefined
  /** ms that a room is kept after its last post or its last follower; 30 days. An empty room is kept for at most an hour. */
  readonly roomTtl?: number | undefined
  /** maximum bytes of memory of posts that wait for a reply; 64 MiB */
  readonly inFlightBytes?: number | undefined
  /** maximum bytes of memory of concurrent reads, each at its largest possible page; 64 MiB. Further reads wait. */
  readonly readBytes?: number | undefined
  /** ms between two polls of the followed rooms; 10 s */
  readonly lookInterval?: number | undefined
}

interface Room { readonly feed: RedisFeed, readonly live: Promise<() => void>, followers: number, renewed: number }

const checks: Checks<RedisStoreOptions> = {
  ...linkChecks,
  historyEntries: limit,
  historyBytes: limit,
  keyLife: ttl(0),
  storeBytes: limit,
  roomTtl: ttl(1),
  inFlightBytes: limit,
  readBytes: limit,
  lookInterval: milliseconds(1)
}

/** ms until the keys of a check expire */
const CHECK_TTL = 60_000

/** Maximum ms that an empty room is kept. */
const EMPTY_TTL = 60 * 60 * 1_000

/** Limits of one read of a feed. */
const FEED_READ = { limit: 500, maxBytes: 1024 * 1024 }

/** Rooms polled concurrently. */
const POLLED_ROOMS = 250

/** A store in Redis, shared by many processes. Entries are as durable as the configuration of Redis makes them. */
export class RedisStore implements Store {
  readonly #link: RedisLink
  readonly #appends: RedisAppends
  readonly #reads: RedisReads
  readonly #index: RoomIndex
  readonly #evictions: Evictions
  readonly #timeout: number
  readonly #limits: readonly [roomTtl: number, historyEntries: number, historyBytes: number, keyLife: number]
  readonly #emptyTtl: number
  readonly #rooms = new Map<string, Room>()
  readonly #undelivered = new Set<RedisFeed>()
  readonly #pollTimer: NodeJS.Timeout
  readonly #processId = randomBytes(6).toString('base64url').replaceAll('-', '.')
  #epochs = 0
  /** Current poll of all rooms. A new poll replaces it. */
  #poll: object | undefined
  #closing: Promise<void> | undefined

  /** @throws InvalidOption */
  constructor ({
    historyEntries = 1_000,
    historyBytes = 4 * 1024 * 1024,
    keyLife = 5 * 60 * 1_000,
    storeBytes,
    roomTtl = 30 * 24 * 60 * 60 * 1_000,
    inFlightBytes = 64 * 1024 * 1024,
    readBytes = 64 * 1024 * 1024,
    lookInterval = 10_000,
    ...options
  }: RedisStoreOptions = {}) {
    check({ historyEntries, historyBytes, keyLife, storeBytes, roomTtl, inFlightBytes, readBytes, lookInterval, ...options }, checks)
    this.#link = new RedisLink(options)
    this.#timeout = options.timeout ?? 5_000
    this.#limits = [roomTtl, historyEntries, historyBytes, keyLife]
    this.#emptyTtl = Math.min(roomTtl, EMPTY_TTL)
    this.#index = new RoomIndex(this.#link, this.#processId, roomTtl)
    this.#evictions = new Evictions(this.#link, this.#index, { storeBytes, keys: (room) => this.#keys(room), channel: (room) => this.#channel(room) })
    this.#appends = new RedisAppends((room, posts) => this.#append(room, posts), this.#link.inFlight, inFlightBytes)
    this.#reads = new RedisReads(this.#link.inFlight, readBytes)
    this.#pollTimer = setInterval(() => this.#poll ?? this.#pollAll(), lookInterval).unref()
    this.#link.onBack(() => this.#pollAll())
  }

  append (room: string, draft: Draft): Promise<Cursor & { again: boolean }> {
    return this.#closing === undefined ? this.#appends.append(room, draft) : Promise.reject(new StoreClosed())
  }

  async find (room: string, key: string): Promise<Cursor | undefined> {
    this.#assertOpen()
    const [tag, known] = await this.#link.query('HMGET', this.#keys(room)[0]!, 'tag', `=${key}`) as Array<string | null>
    return tag != null && known != null ? repeated(tag, known) : undefined
  }

  async read (room: string, { limit, maxBytes, after, before }: Query): Promise<Page> {
    const place = placeOf(after ?? before ?? '')
    const direction = after !== undefined ? 'after' : before !== undefined ? 'before' : 'newest'
    const { entries, complete, more, head } = await this.#read(room, direction, place, limit, maxBytes)
    return { entries, complete, more, head: markOf(head) }
  }

  async follow (name: string, deliver: (page: Page) => void): Promise<Feed> {
    this.#assertOpen()
    const room = this.#rooms.get(name) ?? this.#start(name)
    room.followers++
    try {
      await room.live
      await room.feed.catchUp()
      this.#assertOpen()
    } catch (error) {
      this.#leave(name, room)
      throw error
    }
    const stop = room.feed.add(deliver)
    let following = true
    return {
      head: room.feed.head,
      stop: () => {
        if (!following) return
        following = false
        stop()
        this.#leave(name, room)
      }
    }
  }

  async erase (room: string, position: Position): Promise<void> {
    this.#assertOpen()
    assertPosition('position', position)
    const keys = this.#keys(room)
    const place = placeOf(position)
    if (place === undefined) return
    const id = `${place.at}-${place.n}`
    const [found] = await this.#link.query('XRANGE', keys[1]!, id, id) as Array<[id: string, fields: string[]]>
    if (found === undefined) return
    const { from } = entryOf(JSON.parse(found[1][1]!) as Content, place)
    const { content, size } = encode({ from, body: '' })
    await this.#link.run(eraseEntry, keys, [place.tag, id, content, size])
  }

  async clear (room: string): Promise<void> {
    this.#assertOpen()
    await this.#link.run(eraseRoom, this.#keys(room), [this.#newEpoch(), this.#emptyTtl, this.#link.publishCommand, this.#channel(room)])
  }

  /**
   * Posts in a test room, receives the post, reads the room and deletes it. Rejects with FST_CHAT_STORE_DENIED if the Redis
   * user lacks a permission.
   */
  async check (): Promise<void> {
    this.#assertOpen()
    // No client's room has such a name.
    const room = `?${this.#processId}`
    const keys = this.#keys(room)
    await tryOut(this.#link, this.#link.key(room, 'right'), this.#channel(room), async () => {
      const posts = [this.#newEpoch(), this.#newEpoch()].flatMap((key) => [key, '', '', '[0,""]', 0])
      const [bytes, published] = await this.#withMemory(room, () => this.#link.run(append, keys,
        [this.#newEpoch(), CHECK_TTL, CHECK_TTL, 2, CHECK_TTL, CHECK_TTL, this.#link.publishCommand, this.#channel(room), ...posts])) as [number, number]
      await this.#evictions.halve(room)
      await this.#link.run(read, keys, [this.#newEpoch(), CHECK_TTL, 'newest', '', '', 1, 1])
      await this.#link.run(look, keys, [CHECK_TTL, CHECK_TTL])
      await this.#index.note([[room, bytes]], Infinity)
      await this.#index.oldest(0, 1)
      await this.#index.heaviest(1)
      // The room has a subscriber here, so the script checks a channel without one.
      await this.#link.run(evict, keys, [Number.MAX_SAFE_INTEGER, this.#link.countCommand, `${this.#channel(room)}?`])
      await this.#index.note([[room, 0]], Infinity)
      return published === 1
    })
  }

  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close (): Promise<void> {
    clearInterval(this.#pollTimer)
    this.#evictions.close()
    this.#appends.flush()
    this.#rooms.clear()
    this.#undelivered.clear()
    await this.#link.close()
  }

  #assertOpen (): void {
    if (this.#closing !== undefined) throw new StoreClosed()
  }

  /** Returns an epoch in case a room begins with this call. A random one would take a tenth of the call's CPU time. */
  #newEpoch (): string { return `${this.#processId}.${(++this.#epochs).toString(36)}` }

  #keys (room: string): string[] {
    return [this.#link.key(room, 'room'), this.#link.key(room, 'log'), this.#link.key(room, 'order')]
  }

  #channel (room: string): string { return this.#link.key(room, 'entries') }

  async #append (room: string, posts: ReadonlyArray<string | number>): Promise<unknown> {
    const [bytes, published, ...reply] = await this.#withMemory(room, () => this.#link.run(append, this.#keys(room),
      [this.#newEpoch(), this.#emptyTtl, ...this.#limits, this.#link.publishCommand, this.#channel(room), ...posts])) as [bytes: number, published: number, ...unknown[]]
    this.#index.use(room, bytes)
    // Redis stored the entries, but rejected PUBLISH. Other nodes find them by a poll.
    if (published === 0) this.#rooms.get(room)?.feed.catchUp().catch(() => {})
    return reply
  }

  /** Retries a call that failed because Redis is out of memory, each time after evicting rooms, within the command timeout. */
  #withMemory (room: string, call: () => Promise<unknown>): Promise<unknown> {
    const { relief } = this.#evictions
    const first = relief === undefined ? call() : relief.then(call)
    const startedAt = performance.now()
    const retry = async (error: unknown): Promise<unknown> => {
      if (!isOutOfMemory(error) || performance.now() - startedAt > this.#timeout) throw error
      if (!await this.#evictions.relieve(this.#keys(room)[0]!)) throw error
      return await call().catch(retry)
    }
    return first.catch(retry)
  }

  /** Reads a page once this process has memory for it. */
  #read (room: string, direction: string, place: Place | undefined, limit: number, maxBytes: number): Promise<Stretch> {
    const [, historyEntries, historyBytes] = this.#limits
    return this.#reads.run(Math.min(limit, historyEntries), limit === 0 ? 0 : Math.min(maxBytes, historyBytes), async () => await this.#readNow(room, direction, place, limit, maxBytes))
  }

  async #readNow (room: string, direction: string, place: Place | undefined, limit: number, maxBytes: number): Promise<Stretch> {
    this.#assertOpen()
    const reply = await this.#withMemory(room, () => this.#link.run(read, this.#keys(room), [
      this.#newEpoch(), this.#emptyTtl, direction, place === undefined ? '' : `${place.at}-${place.n}`, place?.tag ?? '',
      Math.min(limit, Number.MAX_SAFE_INTEGER), Math.min(maxBytes, Number.MAX_SAFE_INTEGER)
    ])) as [bytes: number, tag: string, born: string, at: string, n: number, complete: number, more: number, ids: string, contents: string]
    const [bytes, tag, born, at, n, complete, more, ids, contents] = reply
    this.#index.use(room, bytes)
    const places = ids === '' ? [] : ids.split(' ')
    const entries = (JSON.parse(contents) as Content[]).map((content, i) => {
      const [at, n] = places[i]!.split('-')
      return entryOf(content, { tag, at: Number(at), n: Number(n) })
    })
    return { entries, complete: complete === 1, more: more === 1, head: { tag, at: Number(at), n }, born: { tag, at: Number(born), n: 0 } }
  }

  #start (name: string): Room {
    const feed = new RedisFeed(
      (after) => after === undefined
        ? this.#read(name, 'newest', undefined, 0, 0)
        : this.#read(name, 'after', after, FEED_READ.limit, FEED_READ.maxBytes),
      (feed) => this.#deliverSoon(feed)
    )
    const live = this.#link.subscribe(this.#channel(name), (message) => feed.hear(message))
    const room = { feed, live, followers: 0, renewed: performance.now() }
    this.#rooms.set(name, room)
    return room
  }

  #leave (name: string, room: Room): void {
    if (--room.followers > 0) return
    if (this.#rooms.get(name) === room) this.#rooms.delete(name)
    room.live.then((stop) => stop(), () => {})
  }

  #deliverSoon (feed: RedisFeed): void {
    if (this.#undelivered.size === 0) {
      setImmediate(() => {
        const feeds = [...this.#undelivered]
        this.#undelivered.clear()
        for (const feed of feeds) if (this.#closing === undefined) feed.deliver()
      })
    }
    this.#undelivered.add(feed)
  }

  /** Polls all followed rooms, which detects lost messages and lost rooms. */
  async #pollAll (): Promise<void> {
    const rooms = [...this.#rooms]
    const current = this.#poll = {}
    for (let i = 0; i < rooms.length && this.#poll === current; i += POLLED_ROOMS) {
      await Promise.allSettled(rooms.slice(i, i + POLLED_ROOMS).map(async ([name, room]) => await this.#pollRoom(name, room)))
    }
    if (this.#poll === current) this.#poll = undefined
  }

  async #pollRoom (name: string, room: Room): Promise<void> {
    const due = performance.now() - room.renewed > this.#emptyTtl / 3
    const [bytes, tag, at, n] = await this.#link.run(look, this.#keys(name), [due ? this.#limits[0] : '', this.#emptyTtl]) as [bytes?: number, tag?: string, at?: string, n?: number]
    if (due) {
      room.renewed = performance.now()
      if (bytes !== undefined) this.#index.use(name, bytes)
    }
    room.feed.see(tag === undefined ? undefined : { tag, at: Number(at), n: n! })
  }
}
