import { parsePosition, type PositionParts } from '../../position.ts'
import type { RedisClient } from '../client/client.ts'
import type { AppendReply } from './append-queue.ts'
import type { RoomLimits } from './options.ts'
import { cursorOfPost, decode, encode, type Content } from './record.ts'
import { append } from './scripts/append.ts'
import { clearRoom, eraseEntry } from './scripts/erase.ts'
import { evict, removeOlderHalf } from './scripts/evict.ts'
import { read, readHead } from './scripts/read.ts'
import type { Cursor, Entry } from '../../../store.ts'

/** Entries of a room as one call of the read script returned them. */
export interface StreamPage {
  readonly entries: readonly Entry[]
  readonly complete: boolean
  readonly more: boolean
  readonly head: PositionParts
  /** Beginning of the room's current epoch. */
  readonly beginning: PositionParts
}

/** Selects the entries of a page. `position`: undefined if the client's position couldn't be parsed, or for the newest. */
export interface StreamQuery {
  readonly direction: 'after' | 'before' | 'newest'
  readonly position: PositionParts | undefined
  readonly limit: number
  readonly maxBytes: number
  /** ms; older entries are left out, and their positions aren't honoured; Infinity for the feed of a room, which had them */
  readonly maxAge: number
}

/** As the read script returns it. */
type ReadReply = [
  charge: number, epoch: string, beginning: string, at: string, offset: number,
  complete: number, more: number, ids: string, contents: string
]

/** Commands on one room. A charge is the memory that Redis uses for the room, in bytes. */
export class RoomScripts {
  readonly #client: RedisClient
  readonly #processId: string
  readonly #limits: RoomLimits
  readonly #appendArgs: readonly [roomTtl: number, historyEntries: number, historyBytes: number, dedupWindow: number, historyAge: number | '']
  #epochs = 0

  /** @param processId distinguishes epochs that begin in this process from those of others: 1 to 16 letters, digits, `.` and `_` */
  constructor (client: RedisClient, processId: string, limits: RoomLimits) {
    this.#client = client
    this.#processId = processId
    this.#limits = limits
    this.#appendArgs = [limits.roomTtl, limits.historyEntries, limits.historyBytes, limits.dedupWindow, orEmpty(limits.historyAge)]
  }

  keys (room: string): string[] {
    return [this.#client.key(room, 'room'), this.#client.key(room, 'log'), this.#client.key(room, 'order')]
  }

  /** Returns the channel to which a room's entries are published. */
  channel (room: string): string { return this.#client.channel(room, 'entries') }

  /** @param posts as `Send` takes them */
  append (room: string, posts: ReadonlyArray<string | number>): Promise<AppendReply> {
    return this.#client.run(append, this.keys(room), [
      this.#newEpoch(), this.#limits.emptyTtl, ...this.#appendArgs, this.#client.publishCommand, this.channel(room), ...posts
    ]) as Promise<AppendReply>
  }

  async read (room: string, query: StreamQuery): Promise<{ readonly charge: number, readonly page: StreamPage }> {
    const { direction, position, limit, maxBytes, maxAge } = query
    const reply = await this.#client.run(read, this.keys(room), [
      this.#newEpoch(), this.#limits.emptyTtl, direction,
      position === undefined ? '' : `${position.at}-${position.offset}`, position?.epoch ?? '',
      Math.min(limit, Number.MAX_SAFE_INTEGER), Math.min(maxBytes, Number.MAX_SAFE_INTEGER), orEmpty(maxAge)
    ]) as ReadReply
    const [charge, epoch, beginning, at, offset, complete, more, ids, contents] = reply
    const idList = ids === '' ? [] : ids.split(' ')
    const entries = (JSON.parse(contents) as Content[]).map((content, i) => {
      const [at, offset] = idList[i]!.split('-')
      return decode(content, { epoch, at: Number(at), offset: Number(offset) })
    })
    const page = {
      entries,
      complete: complete === 1,
      more: more === 1,
      head: { epoch, at: Number(at), offset },
      beginning: { epoch, at: Number(beginning), offset: 0 }
    }
    return { charge, page }
  }

  /** Resolves with the head of a room; undefined if the room is lost. Removes entries older than `historyAge`. @param renews whether the room's ttl begins again */
  async readHead (room: string, renews: boolean): Promise<{ readonly charge: number, readonly head: PositionParts } | undefined> {
    const { roomTtl, emptyTtl, historyAge } = this.#limits
    const [charge, epoch, at, offset] = await this.#client.run(readHead, this.keys(room), [renews ? roomTtl : '', emptyTtl, orEmpty(historyAge)]) as
      [charge?: number, epoch?: string, at?: string, offset?: number]
    return charge === undefined ? undefined : { charge, head: { epoch: epoch!, at: Number(at), offset: offset! } }
  }

  /** Resolves with the cursor of the post with this key; undefined if the key isn't remembered. */
  async find (room: string, key: string): Promise<Cursor | undefined> {
    const [epoch, post] = await this.#client.query('HMGET', this.keys(room)[0]!, 'tag', `=${key}`) as Array<string | null>
    return epoch != null && post != null ? cursorOfPost(epoch, post) : undefined
  }

  async get (room: string, position: string): Promise<Entry | undefined> {
    const parts = parsePosition(position)
    if (parts === undefined) return undefined
    const [state, log] = this.keys(room)
    const id = `${parts.at}-${parts.offset}`
    const [[epoch], [found]] = await Promise.all([
      this.#client.query('HMGET', state!, 'tag') as Promise<Array<string | null>>,
      this.#client.query('XRANGE', log!, id, id) as Promise<Array<[id: string, fields: string[]]>>
    ])
    return epoch !== parts.epoch || found === undefined ? undefined : decode(JSON.parse(found[1][1]!) as Content, parts)
  }

  /** Removes the content of an entry. Resolves with false if the position names no kept entry. */
  async erase (room: string, position: string): Promise<boolean> {
    const entry = await this.get(room, position)
    if (entry === undefined) return false
    const { epoch, at, offset } = parsePosition(position)!
    const { content, size } = encode({ from: entry.from, body: '' })
    await this.#client.run(eraseEntry, this.keys(room), [epoch, `${at}-${offset}`, content, size])
    return true
  }

  async clear (room: string): Promise<void> {
    await this.#client.run(clearRoom, this.keys(room), [
      this.#newEpoch(), this.#limits.emptyTtl, this.#client.publishCommand, this.channel(room)
    ])
  }

  /**
   * Deletes a room without followers and without posts since its last use. Resolves with its charge, 0 if it was deleted.
   * @param usedAt time of the last use in ms @param channel whose subscribers count as followers
   */
  async evict (room: string, usedAt: string | number, channel = this.channel(room)): Promise<number> {
    return await this.#client.run(evict, this.keys(room), [usedAt, this.#client.countCommand, channel]) as number
  }

  /** Removes the older half of a room's entries. Resolves with the charge of the rest. */
  async removeOlderHalf (room: string): Promise<number> {
    return await this.#client.run(removeOlderHalf, this.keys(room), []) as number
  }

  /** Returns an epoch in case a room begins with this call. A random one would take a tenth of the call's CPU time. */
  #newEpoch (): string { return `${this.#processId}.${(++this.#epochs).toString(36)}` }
}

/** Returns an age as the scripts take it: '' for none. */
function orEmpty (age: number): number | '' { return age === Infinity ? '' : age }
