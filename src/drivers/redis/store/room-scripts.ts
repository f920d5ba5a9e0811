import type { RedisClient } from '../client/client.ts'
import type { AmendReply } from './amend-queue.ts'
import type { AppendReply } from './append-queue.ts'
import { bucketOf } from './buckets.ts'
import type { RoomLimits } from './options.ts'
import { changeOf, cursorOfChange, cursorOfPost } from './record.ts'
import { amend } from './scripts/amend.ts'
import { append } from './scripts/append.ts'
import { clearRoom } from './scripts/clear.ts'
import { control } from './scripts/control.ts'
import { evict, removeOlderHalf } from './scripts/evict.ts'
import { read, readHead } from './scripts/read.ts'
import { readUnread } from './scripts/read-unread.ts'
import { removeDeleted } from './scripts/remove-deleted.ts'
import { parsePage, type ReadReply, type RoomHead, type StreamPage, type StreamQuery } from './stream-page.ts'
import type { PositionParts } from '../../position.ts'
import type { ChangeCursor } from '../../../change.ts'
import type { Cursor } from '../../../store.ts'

/** `hasOverdue`: the content of entries that were deleted long ago is still in the stream. */
interface Found { readonly charge: number, readonly hasOverdue: boolean }

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

  /** @param posts as the append script takes them */
  append (room: string, posts: ReadonlyArray<string | number>): Promise<AppendReply> {
    return this.#client.run(append, this.keys(room), [
      this.#newEpoch(), this.#limits.emptyTtl, ...this.#appendArgs, this.#client.publishCommand, this.channel(room), ...posts
    ]) as Promise<AppendReply>
  }

  /** @param changes as the amend script takes them */
  amend (room: string, changes: ReadonlyArray<string | number>): Promise<AmendReply> {
    return this.#client.run(amend, this.keys(room), [
      ...this.#appendArgs, this.#client.publishCommand, this.channel(room), ...changes
    ]) as Promise<AmendReply>
  }

  /**
   * Resolves with the room's charge, whether the control was published, whether the room has no entries, and the control's cursor.
   * @param json control in JSON
   */
  async control (room: string, json: string): Promise<{
    readonly charge: number
    readonly isPublished: boolean
    readonly isEmpty: boolean
    readonly change: ChangeCursor
  }> {
    const [charge, published, epoch, number, at, offset] = await this.#client.run(control, this.keys(room), [
      this.#newEpoch(), this.#limits.emptyTtl, ...this.#appendArgs, this.#client.publishCommand, this.channel(room), json
    ]) as [charge: number, published: number, epoch: string, number: string, at: string, offset: number]
    return { charge, isPublished: published === 1, isEmpty: offset === 0, change: changeOf({ epoch, at: Number(at), number: Number(number) }) }
  }

  async read (room: string, query: StreamQuery): Promise<Found & { readonly page: StreamPage }> {
    const { direction, position, revision, controlBytes = '', readPosition, for: member, limit, maxBytes, maxAge, isUse = true } = query
    const reply = await this.#client.run(read, this.keys(room), [
      this.#newEpoch(), isUse ? this.#limits.emptyTtl : '', direction,
      position === undefined ? '' : `${position.at}-${position.offset}`, position?.epoch ?? '',
      Math.min(limit, Number.MAX_SAFE_INTEGER), Math.min(maxBytes, Number.MAX_SAFE_INTEGER), orEmpty(maxAge),
      ...member === undefined ? ['', ''] : [JSON.stringify(member), bucketOf(member)],
      ...revision === undefined ? ['', '', ''] : [revision.epoch, revision.at, revision.number],
      controlBytes, ...placeOf(readPosition), this.#limits.roomTtl
    ]) as ReadReply
    return { charge: reply[0], hasOverdue: reply[11] === 1, page: parsePage(reply) }
  }

  /**
   * Resolves with the heads of rooms, each with the number of its entries after a read position, as `parseUnread` takes them. Creates no
   * room, and is no use of one.
   */
  async readUnread (queries: ReadonlyArray<readonly [room: string, readPosition: PositionParts | undefined]>): Promise<string[]> {
    const keys = queries.flatMap(([room]) => this.keys(room))
    const args = queries.flatMap(([, readPosition]) => placeOf(readPosition))
    return await this.#client.run(readUnread, keys, [this.#newEpoch(), orEmpty(this.#limits.historyAge), ...args]) as string[]
  }

  /**
   * Resolves with the head of a room, and the time in ms of the last use that renewed its ttl; undefined if the room is lost. Removes
   * entries older than `historyAge`. @param renews whether the room's ttl begins again
   */
  async readHead (room: string, renews: boolean): Promise<Found & { readonly head: RoomHead, readonly renewedAt: number } | undefined> {
    const { roomTtl, emptyTtl, historyAge } = this.#limits
    const reply = await this.#client.run(readHead, this.keys(room), [renews ? roomTtl : '', emptyTtl, orEmpty(historyAge)]) as
      [] | [charge: number, epoch: string, at: string, offset: number, renewedAt: string, number: string, changedAt: string, overdue: number]
    if (reply.length === 0) return undefined
    const [charge, epoch, at, offset, renewedAt, number, changedAt, overdue] = reply
    const head = { position: { epoch, at: Number(at), offset }, change: { epoch, at: Number(changedAt), number: Number(number) } }
    return { charge, hasOverdue: overdue === 1, head, renewedAt: Number(renewedAt) }
  }

  /** Resolves with the cursor of the post with this key; undefined if the key isn't remembered. */
  async find (room: string, key: string): Promise<Cursor | undefined> {
    const [epoch, post] = await this.#client.query('HMGET', this.keys(room)[0]!, 'tag', `=${key}`) as Array<string | null>
    return epoch != null && post != null ? cursorOfPost(epoch, post) : undefined
  }

  /** Resolves with the cursor of the edit with this key; undefined if the key isn't remembered. */
  async findChange (room: string, key: string): Promise<ChangeCursor | undefined> {
    const [epoch, change] = await this.#client.query('HMGET', this.keys(room)[0]!, 'tag', `+${key}`) as Array<string | null>
    return epoch != null && change != null ? cursorOfChange(epoch, change) : undefined
  }

  /** Removes the content of deleted entries from the stream. Resolves with the room's charge. */
  async removeDeleted (room: string): Promise<number> {
    return await this.#client.run(removeDeleted, this.keys(room), []) as number
  }

  /** Resolves with the room's charge, 0 if there is no such room. */
  async clear (room: string): Promise<number> {
    return await this.#client.run(clearRoom, this.keys(room), [
      this.#newEpoch(), this.#limits.emptyTtl, this.#client.publishCommand, this.channel(room)
    ]) as number
  }

  /**
   * Deletes a room without followers and without posts or changes since its last use. Resolves with its charge, 0 if it was deleted.
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

/** Returns the epoch and the id of a read position as the scripts take them. */
function placeOf (readPosition: PositionParts | undefined): [epoch: string, id: string] {
  return readPosition === undefined ? ['', ''] : [readPosition.epoch, `${readPosition.at}-${readPosition.offset}`]
}

/** Returns an age as the scripts take it: '' for none. */
function orEmpty (age: number): number | '' { return age === Infinity ? '' : age }
