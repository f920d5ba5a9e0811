import { movesForward, newestPositions, type ReadCursor } from '../../drivers/read-position.ts'
import { SharedDelay, type Delay } from '../../drivers/delay.ts'
import { MAX_READ_POSITIONS, type ReadPosition, type Store } from '../../store.ts'

/** Maximum ms that read positions of a member gather until they are written. */
const INTERVAL = 2_000

/** ms within which the writes of several members share a timer. */
const WINDOW = 50

/** Maximum number of read positions of all members of a node that wait to be written. */
const MAX_WAITING = 100_000

/** Maximum ms until a write that has failed is repeated. The wait doubles with each failure, and half of it is random. */
const MAX_WAIT = 60_000

/**
 * ms of waits after which failing writes of a member without connections are abandoned. A node without connections of
 * the member isn't notified of a removal on another node, and a later write would undo that removal.
 */
const MAX_FAILING = 60_000

/** Returns the delay of the writes of all members of a node. */
export function sharedInterval (after: Delay): SharedDelay { return new SharedDelay(INTERVAL, WINDOW, after) }

/** What the gathered read positions of all members of a node share. */
export interface Gathering {
  readonly store: Pick<Store, 'markRead'>
  /** Starts the timers of writes that are repeated. */
  readonly after: Delay
  /** Starts the timers of the other writes. */
  readonly interval: SharedDelay
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

/** The moves of the read positions of one member that aren't stored yet. Writes them about every two seconds. */
export class GatheredReads {
  readonly #memberId: string
  readonly #gathering: Gathering
  #waiting = new Map<string, ReadCursor>()
  /** The positions that are being written. */
  #inFlight: Map<string, ReadCursor> | undefined
  /** The last call of the store, which waits for the others. Never rejects. */
  #running: Promise<unknown> | undefined
  #cancel: (() => void) | undefined
  #isClosed = false
  /** Number of consecutive failed writes, and the total ms of the waits between them. */
  #failures = 0
  #waited = 0
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
    if (this.#waiting.size > 0 || this.#running !== undefined) await this.#run(() => this.#write())
  }

  /**
   * Drops the position in a room. Rejects as `remove` does.
   * @param remove called when the position can no longer be written. Later positions are not written until it has settled
   */
  async forget (room: string, remove: () => Promise<void>): Promise<void> {
    if (this.#waiting.delete(room)) this.#gathering.waiting--
    if (this.#inFlight?.delete(room) === true) this.#gathering.waiting--
    await this.#run(remove)
  }

  /** Calls `onEmpty` if everything was written. Otherwise schedules a write of the rest. */
  settle (): void {
    if (this.#waiting.size > 0) this.#schedule()
    else if (this.#running === undefined) this.#onEmpty()
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
    if (this.#cancel !== undefined || this.#running !== undefined || this.#isClosed) return
    if (this.#failures === 0) {
      this.#cancel = this.#gathering.interval.start(() => this.#due())
      return
    }
    const wait = Math.min(MAX_WAIT, INTERVAL * 2 ** this.#failures) * (1 + Math.random()) / 2
    this.#cancel = this.#gathering.after(wait, () => {
      this.#waited += wait
      this.#due()
    })
  }

  #due (): void {
    this.#cancel = undefined
    this.flush().catch(() => { /* written again later */ })
  }

  /** Calls the store after the previous call has settled. */
  async #run (call: () => Promise<void>): Promise<void> {
    const result = this.#running === undefined ? call() : this.#running.then(call)
    const running = this.#running = result.catch(() => {}).then(() => {
      if (this.#running !== running) return
      this.#running = undefined
      this.settle()
    })
    await result
  }

  async #write (): Promise<void> {
    this.#cancel?.()
    this.#cancel = undefined
    if (this.#waiting.size === 0) return
    const inFlight = this.#inFlight = this.#waiting
    this.#waiting = new Map()
    const positions = [...inFlight].map(([room, { offset, position, at }]) => ({ room, offset, position, at }))
    try {
      await this.#gathering.store.markRead(this.#memberId, positions)
    } catch (error) {
      this.#inFlight = undefined
      this.#failed(inFlight, error)
      throw error
    }
    this.#inFlight = undefined
    this.#failures = this.#waited = 0
    this.#gathering.waiting -= inFlight.size
    // Without those that were forgotten meanwhile.
    this.#gathering.written(this.#memberId, positions.filter(({ room }) => inFlight.has(room)))
  }

  #failed (inFlight: ReadonlyMap<string, ReadCursor>, error: unknown): void {
    const count = this.#waiting.size + inFlight.size
    for (const [room, cursor] of inFlight) if (movesForward(cursor, this.#waiting.get(room))) this.#waiting.set(room, cursor)
    // The store would remove the others too. Without a bound, one member could take the space of all others while writes fail.
    this.#waiting = new Map(newestPositions(this.#waiting, ([, { at }]) => at))
    this.#gathering.waiting -= count - this.#waiting.size
    this.#failures++
    if (this.#waited >= MAX_FAILING && !this.#isConnected()) {
      this.#gathering.waiting -= this.#waiting.size
      this.#waiting.clear()
      this.#gathering.abandoned(error)
    } else {
      this.#gathering.failed(error)
    }
  }
}
