import { parseComposed } from '../batch/composed-position.ts'
import { ConnectionReads } from '../reads/connection-reads.ts'
import type { ReadCursor } from '../../drivers/read-position.ts'
import { NotJoined } from '../../errors.ts'
import type { Hooks } from '../../hooks.ts'
import type { Membership } from '../membership/membership.ts'
import type { ReadReports } from '../membership/read-reports.ts'
import type { MemberForms } from '../membership/member-forms.ts'
import type { ReadPositions } from '../reads/read-positions.ts'
import type { ReadDevice, Reads } from '../reads/reads.ts'
import { sendRooms, type RoomsPage } from './room-list.ts'
import type { Rooms } from '../rooms.ts'
import type { Appended, Position } from '../../store.ts'

export interface PeerReadsContext {
  readonly rooms: Rooms
  /** Undefined if no hook names the members. */
  readonly readPositions: ReadPositions | undefined
}

/** The peer that has the read positions. */
export interface ReadingPeer {
  readonly forms: MemberForms
  /** Returns its membership in a room. */
  find (room: string): Membership | undefined
}

/** The read positions of a member, on one connection. */
export class PeerReads implements ReadDevice {
  readonly #peer: ReadingPeer
  readonly #hooks: Hooks
  readonly #context: PeerReadsContext
  /** Created when they are first needed. */
  #reads: Reads | undefined
  #hasEnded = false

  constructor (peer: ReadingPeer, hooks: Hooks, context: PeerReadsContext) {
    this.#peer = peer
    this.#hooks = hooks
    this.#context = context
  }

  /** See `Reads.use`. */
  use (room: string, isNeeded: boolean): Promise<void> | undefined { return this.#own.use(room, isNeeded) }

  /** See `Reads.release`. */
  release (room: string): void { this.#reads?.release(room) }

  /** Returns the newest known read position in a joined room. */
  of (room: string): Position | undefined { return this.#reads?.of(room)?.position }

  /** Called when a post of the member is stored. */
  posted (membership: Membership, appended: Appended): void {
    // A client without read positions can't request them on this connection.
    if (membership.isRefused || (this.#context.readPositions === undefined && membership.format.read === undefined)) return
    if (appended.again) void this.#repeated(membership, appended.position)
    else this.#posted(membership.room, appended)
  }

  /**
   * Moves the read position in a joined room. Ignores a position that isn't later. Rejects as the store does.
   * @param position on the wire
   * @param isRepeat whether the client had this read position on an earlier connection. If the member has none now, it was removed
   * @throws NotJoined, NotKept
   */
  async mark (room: string, position: Position, isRepeat: boolean): Promise<void> {
    const membership = this.#peer.find(room)
    if (membership === undefined) throw new NotJoined(room)
    // If no hook names the members, the read position ended with the earlier connection.
    const isRemoved = () => isRepeat && this.#context.readPositions !== undefined && this.of(room) === undefined
    if (isRemoved()) return membership.reads.forgotten()
    // The entry of a late message is before others that the client has received.
    const cursor = await this.#context.rooms.keptEntries.find(room, parseComposed(position).base)
    if (membership.hasEnded) throw new NotJoined(room)
    // Another connection may have removed the read position meanwhile.
    if (isRemoved()) return membership.reads.forgotten()
    const mustConfirm = membership.reads.marked(cursor.position)
    this.#own.mark(room, cursor, this)
    if (mustConfirm) membership.reads.report()
  }

  /** Calls `answer` with a page of the rooms in which the member has a read position. See `sendRooms`. */
  async rooms (after: string | undefined, reader: string | undefined, answer: (page: RoomsPage) => void): Promise<void> {
    const { rooms } = this.#context
    await sendRooms(this.#own, after, reader, { find: (room) => this.#peer.find(room), member: this.#peer.forms.member, hooks: this.#hooks, rooms }, answer)
  }

  /** Removes the read position in a room. Rejects as the store does. */
  async forget (room: string): Promise<void> {
    this.#reportsIn(room)?.clientKnows(undefined)
    await this.#own.forget(room, this)
  }

  /** Called when the member was removed from a room. */
  removed (room: string): void {
    if (this.#context.readPositions === undefined) void this.#reads?.forget(room)
    else this.#context.readPositions.removed(this.#id, room)
  }

  reportRead (room: string): void { this.#reportsIn(room)?.report() }

  reportPosted (room: string, offset: number): void { this.#reportsIn(room)?.posted(offset) }

  reportForgotten (room: string): void { this.#reportsIn(room)?.forgotten() }

  /** Called when the connection is closed and has left its rooms. */
  end (): void {
    this.#hasEnded = true
    if (this.#reads !== undefined) this.#context.readPositions?.end(this.#id, this)
  }

  /** Moves the read position to a repeated post, because its first attempt may not have moved it. */
  async #repeated (membership: Membership, position: Position): Promise<void> {
    const { room } = membership
    // If the entry is no longer kept, all kept messages are newer. If the store fails, the read position is as after a crash.
    const cursor = await this.#context.rooms.keptEntries.find(room, position).catch(() => undefined)
    if (cursor !== undefined && !membership.isRefused) this.#posted(room, cursor)
  }

  #posted (room: string, cursor: ReadCursor): void {
    if (!this.#hasEnded) this.#own.posted(room, cursor)
    else void this.#context.readPositions?.with(this.#id, async (reads) => { reads.posted(room, cursor) })
  }

  /** Returns the reports of a joined room; undefined if the wire has no read positions. */
  #reportsIn (room: string): ReadReports | undefined {
    const membership = this.#peer.find(room)
    return membership?.format.read === undefined ? undefined : membership.reads
  }

  get #id (): string { return this.#peer.forms.sender.id }

  get #own (): Reads { return (this.#reads ??= this.#context.readPositions?.begin(this.#id, this) ?? new ConnectionReads()) }
}
