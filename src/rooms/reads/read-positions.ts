import type { FastifyBaseLogger } from 'fastify'
import { delay, type Delay } from '../../drivers/delay.ts'
import { sharedInterval } from './gathered-reads.ts'
import { encodeMemberMessage, type MemberMessage } from './member-message.ts'
import { MemberReads, type MemberReadsContext } from './member-reads.ts'
import type { ReadCursor } from '../../drivers/read-position.ts'
import { randomId } from '../random-id.ts'
import type { ReadDevice } from './reads.ts'
import type { Roster } from '../../roster.ts'
import type { ReadPosition, Store } from '../../store.ts'

/** The read positions of the members that `authenticate` names, on this node. */
export class ReadPositions {
  readonly #context: MemberReadsContext
  readonly #log: FastifyBaseLogger
  /** Members with connections, or with read positions that aren't stored yet. */
  readonly #byId = new Map<string, MemberReads>()
  #dropped = 0
  #isFailing = false
  #isClosed = false

  /** @param after starts the timers of the writes */
  constructor (store: Pick<Store, 'readPositions' | 'forgetRead' | 'markRead'>, roster: Pick<Roster, 'send'>, log: FastifyBaseLogger, after: Delay = delay) {
    this.#log = log
    const interval = sharedInterval(after)
    const node = randomId()
    const send = (memberId: string, message: MemberMessage) => {
      // The data may be lost anyway: a member that joins again receives its read positions.
      roster.send(memberId, encodeMemberMessage(message)).catch(() => {})
    }
    const written = (memberId: string, read: readonly ReadPosition[]) => {
      this.#isFailing = false
      if (read.length > 0) send(memberId, { read, node })
    }
    const dropped = () => { if (this.#dropped++ === 0) this.#log.error('too many read positions wait to be written: further ones are lost') }
    const abandoned = (err: unknown) => { this.#log.error({ err }, 'read positions of a member without connections are lost: their writes have failed for too long') }
    const failed = (err: unknown) => { this.#failed(err) }
    this.#context = { store, node, send, gathering: { store, after, interval, written, dropped, failed, abandoned, waiting: 0 } }
  }

  /** Returns the read positions of a member with a connection on this node. `end` MUST be called for the connection. */
  begin (memberId: string, device: ReadDevice): MemberReads {
    const reads = this.#of(memberId)
    reads.begin(device)
    return reads
  }

  /** Called when a connection has ended. */
  end (memberId: string, device: ReadDevice): void { this.#byId.get(memberId)?.end(device) }

  /** Calls a function with the read positions of a member that may have no connection on this node. */
  async with<Result> (memberId: string, use: (reads: MemberReads) => Promise<Result>): Promise<Result> {
    const device = { reportRead () {}, reportPosted () {}, reportForgotten () {} }
    const reads = this.begin(memberId, device)
    try {
      return await use(reads)
    } finally {
      reads.end(device)
    }
  }

  /** Called when a message of the app is stored that has a member as its sender. The member may have no connection on this node. */
  posted (memberId: string, room: string, cursor: ReadCursor): void {
    // Without a connection that could end, the moves are gathered: an app may post often.
    if (!this.#isClosed) this.#of(memberId).posted(room, cursor)
  }

  /** Called when a member with a connection on this node was removed from a room. */
  removed (memberId: string, room: string): void {
    this.#byId.get(memberId)?.removed(room).catch((err: unknown) => this.#log.error({ err, room }, 'could not remove a read position'))
  }

  /** Resolves with the read positions of a member, those of this node included. Rejects as the store does. */
  async list (memberId: string): Promise<readonly ReadPosition[]> {
    return await this.with(memberId, async (reads) => await reads.list())
  }

  /** Removes the read position of a member that the app has removed from a room, on every node. Rejects as the store does. */
  async forget (memberId: string, room: string): Promise<void> {
    await this.with(memberId, async (reads) => { await reads.leave(room) })
  }

  /** Called with a message from a node to a member. */
  receive (memberId: string, message: MemberMessage): void {
    this.#byId.get(memberId)?.receive(message).catch((err: unknown) => this.#failed(err))
  }

  /** Writes the waiting positions, and drops those that can't be written. */
  async close (): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled([...this.#byId.values()].map((reads) => reads.flush()))
    let lost = 0
    for (const reads of this.#byId.values()) lost += reads.close()
    if (lost > 0) this.#log.error({ lost }, 'some read positions were not written')
  }

  #of (memberId: string): MemberReads {
    const known = this.#byId.get(memberId)
    if (known !== undefined) return known
    const reads = new MemberReads(memberId, this.#context, () => { if (this.#byId.get(memberId) === reads) this.#byId.delete(memberId) })
    this.#byId.set(memberId, reads)
    // A post may be stored after `close`. The store must not be called then.
    if (this.#isClosed) reads.close()
    return reads
  }

  #failed (err: unknown): void {
    if (this.#isFailing || this.#isClosed) return
    this.#isFailing = true
    this.#log.warn({ err }, 'could not write read positions: they are written again later')
  }
}
