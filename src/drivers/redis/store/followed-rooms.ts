import type { RedisClient } from '../client/client.ts'
import { RoomFeed } from './room-feed.ts'
import type { RoomIndex } from './room-index.ts'
import type { DeletedContents } from './deleted-contents.ts'
import type { RoomScripts } from './room-scripts.ts'
import type { StreamPage, StreamQuery } from './stream-page.ts'
import type { Feed, FeedPage } from '../../../store.ts'

interface FollowedRoom {
  readonly feed: RoomFeed
  /** Resolves with an unsubscribe function when the subscription is live. */
  readonly live: Promise<() => void>
  followers: number
  /** `performance.now()` in ms when this node last renewed the room's ttl. */
  renewedAt: number
}

/** Limits of one read of a feed. */
const FEED_READ = { limit: 500, maxBytes: 1024 * 1024, controlBytes: 64 * 1024, maxAge: Infinity }

/** Rooms polled concurrently. */
const POLLED_ROOMS = 250

/** Rooms with followers on this node. Polls them, which detects lost messages and lost rooms. */
export class FollowedRooms {
  readonly #client: RedisClient
  readonly #scripts: RoomScripts
  readonly #index: RoomIndex
  readonly #deleted: DeletedContents
  readonly #read: (room: string, query: StreamQuery) => Promise<StreamPage>
  readonly #renewInterval: number
  readonly #rooms = new Map<string, FollowedRoom>()
  #undelivered: RoomFeed[] = []
  readonly #timer: NodeJS.Timeout
  /** Current poll of all rooms. A new poll replaces it. */
  #poll: object | undefined
  #closed = false

  /** @param renewInterval ms between two renewals of a room's ttl */
  constructor ({ client, scripts, index, deleted, read, pollInterval, renewInterval }: {
    readonly client: RedisClient
    readonly scripts: RoomScripts
    readonly index: RoomIndex
    readonly deleted: DeletedContents
    readonly read: (room: string, query: StreamQuery) => Promise<StreamPage>
    readonly pollInterval: number
    readonly renewInterval: number
  }) {
    this.#client = client
    this.#scripts = scripts
    this.#index = index
    this.#deleted = deleted
    this.#read = read
    this.#renewInterval = renewInterval
    this.#timer = setInterval(() => this.#poll ?? this.#pollAll(), pollInterval).unref()
    client.onUp(() => this.#pollAll())
  }

  /** @param assertOpen throws if the store was closed meanwhile */
  async follow (name: string, deliver: (page: FeedPage) => void, assertOpen: () => void): Promise<Feed> {
    const room = this.#rooms.get(name) ?? this.#start(name)
    room.followers++
    try {
      await room.live
      await room.feed.catchUp()
      assertOpen()
    } catch (error) {
      this.#leave(name, room)
      throw error
    }
    const remove = room.feed.add(deliver)
    let following = true
    return {
      head: room.feed.head,
      stop: () => {
        if (!following) return
        following = false
        remove()
        this.#leave(name, room)
      }
    }
  }

  /** Reads the entries and changes of a room whose publication failed. Does nothing if the room isn't followed. */
  catchUp (name: string): void {
    this.#rooms.get(name)?.feed.catchUp().catch(() => { /* the next poll catches up */ })
  }

  close (): void {
    this.#closed = true
    clearInterval(this.#timer)
    this.#rooms.clear()
    this.#undelivered = []
  }

  #start (name: string): FollowedRoom {
    const channel = this.#scripts.channel(name)
    const feed = new RoomFeed(
      (last) => this.#read(name, last === undefined
        ? { direction: 'newest', position: undefined, limit: 0, maxBytes: 0, maxAge: Infinity }
        : { direction: 'after', position: last.position, revision: last.change, ...FEED_READ }),
      () => this.#client.received(channel),
      (feed) => this.#deliverSoon(feed)
    )
    const live = this.#client.subscribe(channel, (message) => feed.receive(message))
    const room = { feed, live, followers: 0, renewedAt: performance.now() }
    this.#rooms.set(name, room)
    return room
  }

  #leave (name: string, room: FollowedRoom): void {
    if (--room.followers > 0) return
    if (this.#rooms.get(name) === room) this.#rooms.delete(name)
    room.live.then((unsubscribe) => unsubscribe(), () => { /* it was never live */ })
  }

  #deliverSoon (feed: RoomFeed): void {
    if (this.#undelivered.length === 0) setImmediate(this.#deliver)
    this.#undelivered.push(feed)
  }

  readonly #deliver = (): void => {
    const feeds = this.#undelivered
    this.#undelivered = []
    for (const feed of feeds) if (!this.#closed) feed.deliver()
  }

  async #pollAll (): Promise<void> {
    const rooms = [...this.#rooms]
    const current = this.#poll = {}
    for (let i = 0; i < rooms.length && this.#poll === current; i += POLLED_ROOMS) {
      await Promise.allSettled(rooms.slice(i, i + POLLED_ROOMS).map(async ([name, room]) => await this.#pollRoom(name, room)))
    }
    if (this.#poll === current) this.#poll = undefined
  }

  async #pollRoom (name: string, room: FollowedRoom): Promise<void> {
    const renews = performance.now() - room.renewedAt > this.#renewInterval
    const found = await this.#scripts.readHead(name, renews)
    if (renews) {
      room.renewedAt = performance.now()
      if (found !== undefined) this.#index.use(name, found.charge, found.head.position.offset === 0)
    }
    if (found?.hasOverdue === true) this.#deleted.removeNow(name)
    room.feed.compareHead(found?.head)
  }
}
