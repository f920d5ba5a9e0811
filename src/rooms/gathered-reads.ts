import { movesForward, type ReadCursor } from '../drivers/read-position.ts'
import type { Delay } from '../drivers/delay.ts'
import { MAX_READ_POSITIONS, type ReadPosition, type Store } from '../store.ts'

/** ms that read positions of a member gather until they are written. */
const INTERVAL = 2_000

/** Maximum number of read positions of all members of a node that wait to be written. */
const MAX_WAITING = 100_000

/**
 * Number of writes in a row that may fail for a member without connections: about a minute. Such a member doesn't receive a removal on another
 * node, which a later write would undo.
 */
const MAX_FAILURES = 30

/** What the gathered read positions of all members of a node share. */
export interface Gathering {
  readonly store: Pick<Store, 'markRead'>
  readonly after: Delay
  /** Called when read positions of a member were written. */
  readonly written: (memberId: string, positions: readonly ReadPosition[]) => void
  /** Called when a read position was dropped, because too many wait. */
  readonly dropped: () => void
  /** Called when a write has failed. It is repeated. */
  readonly failed: (error: unknown) => void
  /** Called when read positions of a member without connections were dropped, because writes have failed for too long. */
  readonly abandoned: (error: unknown) => void
  /** Number of read positions that wait. */
  waiting: number
}

/** The moves of the read positions of one member that aren't stored yet. Writes them at most once in two seconds. */
export class GatheredReads {
  readonly #memberId: string
  readonly #gathering: Gathering
  #waiting = new Map<string, ReadCursor>()
  /** The positions that are being written. */
  #inFlight: Map<string, ReadCursor> | undefined
  /** Never rejects. */
  #writing: Promise<unknown> | undefined
  #cancel: (() => void) | undefined
  #isClosed = false
  /** Number of writes in a row that have failed. */
  #failures = 0
  readonly #isConnected: () => boolean
  readonly #onEmpty: () => void

  /** @param isConnected returns whether the member has connections on this node @param onEmpty called when everything was written or dropped */
  constructor (memberId: string, gathering: Gathering, isConnected: () => boolean, onEmpty: () => void) {
    this.#isConnected = isConnected
    this.#memberId = memberId
    this.#gathering = gathering
    this.#onEmpty = onEmpty
  }

  /** Returns the newest position in a room that isn't stored yet; undefined if there is none. */
  of (room: string): ReadCursor | undefined { return this.#waiting.get(room) ?? this.#inFlight?.get(room) }

  /** Adds a position. It replaces an earlier one of the room. */
  add (room: string, cursor: ReadCursor): void {
    if (this.#isClosed) return
    const size = this.#waiting.size
    if (size >= MAX_READ_POSITIONS || this.#gathering.waiting >= MAX_WAITING) {
      if (!this.#waiting.has(room)) return this.#gathering.dropped()
    }
    this.#waiting.set(room, cursor)
    if (this.#waiting.size === size) return
    this.#gathering.waiting++
    this.#schedule()
  }

  /** Writes the waiting positions, without waiting for the end of the interval. Rejects as the store does; the write is then repeated. */
  async flush (): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
    if (this.#waiting.size > 0) await this.#write()
  }

  /** Drops the position in a room. Resolves when it can no longer be written. */
  async forget (room: string): Promise<void> {
    if (this.#waiting.delete(room)) this.#gathering.waiting--
    if (this.#inFlight?.delete(room) === true) this.#gathering.waiting--
    await this.#writing
    this.settle()
  }

  /** Calls `onEmpty` if everything was written. Otherwise schedules a write of the rest. */
  settle (): void {
    if (this.#waiting.size > 0) this.#schedule()
    else if (this.#inFlight === undefined) this.#onEmpty()
  }

  /** Drops the waiting positions. Returns their number. */
  close (): number {
    this.#isClosed = true
    this.#cancel?.()
    this.#cancel = undefined
    const { size } = this.#waiting
    this.#gathering.waiting -= size
    this.#waiting.clear()
    return size
  }

  #schedule (): void {
    if (this.#cancel !== undefined || this.#writing !== undefined || this.#isClosed) return
    this.#cancel = this.#gathering.after(INTERVAL, () => {
      this.#cancel = undefined
      this.#write().catch(() => { /* written again later */ })
    })
  }

  async #write (): Promise<void> {
    this.#cancel?.()
    this.#cancel = undefined
    const inFlight = this.#inFlight = this.#waiting
    this.#waiting = new Map()
    const positions = [...inFlight].map(([room, { offset, position, at }]) => ({ room, offset, position, at }))
    const written = this.#gathering.store.markRead(this.#memberId, positions)
    this.#writing = written.then(() => { this.#succeeded(positions) }, (error: unknown) => { this.#failed(error) })
    await Promise.all([written, this.#writing])
  }

  #succeeded (positions: readonly ReadPosition[]): void {
    const inFlight = this.#end()
    this.#failures = 0
    this.#gathering.waiting -= inFlight.size
    // Without those that were forgotten meanwhile.
    this.#gathering.written(this.#memberId, positions.filter(({ room }) => inFlight.has(room)))
    this.settle()
  }

  #failed (error: unknown): void {
    for (const [room, cursor] of this.#end()) {
      const later = this.#waiting.get(room)
      if (later !== undefined) this.#gathering.waiting--
      if (movesForward(cursor, later)) this.#waiting.set(room, cursor)
    }
    this.#failures++
    if (this.#failures >= MAX_FAILURES && !this.#isConnected()) {
      this.#gathering.waiting -= this.#waiting.size
      this.#waiting.clear()
      this.#gathering.abandoned(error)
    } else {
      this.#gathering.failed(error)
    }
    this.settle()
  }

  #end (): Map<string, ReadCursor> {
    const inFlight = this.#inFlight!
    this.#inFlight = undefined
    this.#writing = undefined
    return inFlight
  }
}
