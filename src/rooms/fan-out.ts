import type { Changed, Head } from '../change.ts'
import type { Batch } from './batch/batch.ts'
import { BatchQueue, type Waiting } from './batch/batch-queue.ts'
import type { RoomSignal } from './batch/signal.ts'
import type { Membership } from './membership/membership.ts'
import type { Cursor, Entry, Page, Position } from '../store.ts'
import type { Counters } from '../observability/stats.ts'
import { atEndOfTick } from '../connection/tick.ts'
import { Saturation } from './saturation.ts'
import { TickLoad } from './tick-load.ts'

/** Memberships that the fan-out writes to before it yields to the event loop. */
const MEMBERSHIPS_PER_SLICE = 512

/**
 * Writes a room's batches to its memberships. The entries and changes of one tick are joined into one buffer for each format, and each
 * membership receives the buffer in one write. A room that has one post per tick writes it at once if `#canWriteNow`: there is nothing to
 * join, and at the end of the tick all its members would wait for the posts of other rooms. A batch is written to all memberships before
 * the next begins.
 */
export class FanOut {
  readonly #flushInterval: number
  readonly #counters: Counters
  readonly #memberships = new Set<Membership>()
  readonly #queue: BatchQueue
  #unwritten = this.#memberships.values()
  /** Number of the last change that the store delivered. */
  #reached = 0
  #scheduled = false
  /** `performance.now()` at the first waiting entry, and at the first entry of the batch; 0 without timings. */
  #receivedAt = 0
  #batchReceivedAt = 0
  readonly #saturation = new Saturation()
  readonly #load = new TickLoad()

  /** @param flushInterval ms that entries may gather into a batch; 0: until the end of the tick */
  constructor (room: string, flushInterval: number, waiting: Waiting, counters: Counters) {
    this.#flushInterval = flushInterval
    this.#queue = new BatchQueue(room, waiting)
    this.#counters = counters
  }

  get memberships (): ReadonlySet<Membership> { return this.#memberships }

  /**
   * Offset of the first entry that the fan-out writes to a membership added now. The caller must send all earlier entries
   * first.
   */
  get next (): number { return this.#queue.first }

  /** Number of the last change that a membership added now has received, if the caller has sent it all earlier entries and changes. */
  get lastChange (): number { return Math.min(this.#reached, this.#queue.firstChange - 1) }

  add (membership: Membership): void { this.#memberships.add(membership) }

  delete (membership: Membership): void {
    this.#memberships.delete(membership)
    if (this.#memberships.size > 0) return
    // `next` must not include these entries: they won't be written to a membership that is added later.
    this.#queue.clear()
    this.#receivedAt = 0
  }

  /** The outstanding streams of clients without changes. */
  get streams (): readonly Cursor[] { return this.#queue.streams }

  /** Call it after `add`. @param streams that are outstanding for the added membership */
  learn (streams: readonly Cursor[]): void { this.#queue.learn(streams) }

  /** Adds the streams of a page, unless one may have ended since it was read. */
  learnFrom ({ entries, head }: Page): void {
    if (head.change.number >= this.#reached) this.#queue.learn(entries.filter(({ streaming }) => streaming === true))
  }

  /** Called when the entry at a position is no longer kept. */
  forget (position: Position): void { this.#queue.forget(position) }

  /** Adds entries. Call `deliver` afterwards. */
  push (entries: readonly Entry[]): void {
    if (this.#memberships.size === 0) return this.#queue.skip(entries, [])
    if (this.#counters.timings !== undefined && this.#receivedAt === 0) this.#receivedAt = performance.now()
    this.#queue.push(entries)
    this.#load.add(entries.length)
  }

  /**
   * Adds changes. Call it after `push`, and `deliver` afterwards.
   * @param changes none if `reached` is as before
   * @param reached number of the last change that the store has delivered, in a change or in an entry
   */
  change (changes: readonly Changed[], reached: number): void {
    if (reached === this.#reached) return
    this.#reached = reached
    if (this.#memberships.size === 0) return this.#queue.skip([], changes)
    this.#queue.change(changes, reached)
    this.#load.add(changes.length)
  }

  /** Writes what was pushed and changed: at once if the room is quiet and can, else at the end of the tick. */
  deliver (): void {
    if (this.#queue.isEmpty) return
    if (this.#load.isQuiet && this.#canWriteNow()) this.#run()
    else this.#enqueued()
  }

  /** Called when the store has begun to deliver what follows this head. */
  startAt ({ position, change: { number } }: Head): void {
    this.#reached = number
    this.#queue.startAfter(position)
  }

  announce (signal: RoomSignal): void {
    if (this.#memberships.size === 0) return
    this.#queue.announce(signal)
    this.#enqueued()
  }

  /** Writes everything that waits, synchronously. */
  flush (): void {
    while (this.#serve(Infinity));
  }

  /** Schedules a write. Writes immediately if too much waits, even during a pause. */
  #enqueued (): void {
    if (this.#queue.isFull) this.flush()
    else this.#schedule()
  }

  /** Returns whether the end of the tick would add nothing to the write, and all memberships fit in one slice. */
  #canWriteNow (): boolean {
    const { size } = this.#memberships
    if (this.#scheduled || this.#flushInterval > 0 || this.#saturation.isPaused || size >= MEMBERSHIPS_PER_SLICE) return false
    for (const { isReady } of this.#memberships) if (!isReady) return false
    return true
  }

  #schedule (): void {
    if (this.#scheduled) return
    this.#scheduled = true
    const wait = Math.max(this.#flushInterval, this.#saturation.endPause())
    // Timers run before the sockets are polled: bytes that were written before may only seem to be pending.
    if (wait > 0) setTimeout(() => atEndOfTick(this.#run), wait)
    else atEndOfTick(this.#run)
  }

  readonly #run = () => {
    this.#scheduled = false
    try {
      this.#serve(MEMBERSHIPS_PER_SLICE)
    } finally {
      // If a write throws, the other memberships receive the batch at the end of the tick.
      if (this.#queue.batch !== undefined || !this.#queue.isEmpty) this.#schedule()
    }
  }

  /**
   * Writes to up to `members` memberships. Continues beyond that while too much waits. Returns whether there is more to write.
   */
  #serve (members: number): boolean {
    for (let served = 0; served < members || this.#queue.isFull; served++) {
      const batch = this.#queue.batch ?? this.#begin()
      if (batch === undefined) return false
      const { value: membership } = this.#unwritten.next()
      // The next batch waits for another tick, because a connection checks its pending bytes only at the first write of a tick. A message
      // that was written at once, before a batch of the same tick, found no pending bytes.
      if (membership === undefined) return this.#end()
      this.#counters.deliveries += membership.deliver(batch)
    }
    return true
  }

  #begin (): Batch | undefined {
    const batch = this.#queue.begin()
    this.#batchReceivedAt = this.#receivedAt
    if (this.#queue.isEmpty) this.#receivedAt = 0
    this.#unwritten = this.#memberships.values()
    this.#saturation.beginBatch(this.#memberships.size > MEMBERSHIPS_PER_SLICE)
    return batch
  }

  /** Ends the batch. Returns whether there is more to write. */
  #end (): boolean {
    this.#queue.end()
    if (this.#batchReceivedAt > 0) this.#counters.timings?.delivered((performance.now() - this.#batchReceivedAt) / 1_000)
    this.#saturation.endBatch(!this.#queue.isEmpty)
    return !this.#queue.isEmpty
  }
}
