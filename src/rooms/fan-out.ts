import { Batch } from './batch.ts'
import { entryCost } from '../heap-cost.ts'
import type { RoomSignal } from './signal.ts'
import type { Membership } from './membership.ts'
import type { Entry } from '../store.ts'
import type { Counters } from '../observability/stats.ts'
import { atEndOfTick } from '../connection/tick.ts'

/** Approximate bytes of content in one batch. */
const BATCH_BYTES = 256 * 1024

/**
 * Maximum bytes of memory that wait in the fan-outs of all rooms, batches included. Above this limit, the fan-out writes
 * immediately, even during a pause.
 */
const WAITING_BYTES = 16 * 1024 * 1024

/** Bytes of memory that wait in the fan-outs of all rooms. */
export interface Waiting { bytes: number }

/** Memberships that the fan-out writes to before it yields to the event loop. */
const MEMBERSHIPS_PER_SLICE = 512

/**
 * A room is saturated if more entries wait at the end of this many successive batches: it gets posts faster than it can write
 * one batch for each. Two posts shortly after each other don't make it saturated.
 */
const SATURATED = 4

/**
 * Pause after each batch of a saturated room that takes several ticks, as a multiple of the time that the batch took. At 1, a
 * room uses at most half of the event loop. During the pause, other work is done and more entries join the next batch, so that
 * a delivery costs less.
 */
const PAUSE_FACTOR = 1

/**
 * Writes a room's batches to its memberships. The entries of one tick are joined into one buffer for each format. Each
 * membership receives the buffer in one write. A batch is written to all memberships before the next begins.
 */
export class FanOut {
  readonly #room: string
  readonly #flushInterval: number
  readonly #waiting: Waiting
  readonly #counters: Counters
  readonly #memberships = new Set<Membership>()
  #entries: Entry[] = []
  #signals: RoomSignal[] = []
  /** Waiting bytes of this room, and the part of them in the current batch. */
  #bytes = 0
  #batchBytes = 0
  #batch: Batch | undefined
  #unwritten = this.#memberships.values()
  #scheduled = false
  /** Time at which the batch began; only for a batch that takes several ticks. */
  #batchStartedAt = 0
  /** Successive batches at whose end more entries waited. */
  #waited = 0
  /** `performance.now()` at the first waiting entry, and at the first entry of the batch; 0 without timings. */
  #receivedAt = 0
  #batchReceivedAt = 0
  #pausedUntil = 0

  /** @param flushInterval ms that entries may gather into a batch; 0: until the end of the tick */
  constructor (room: string, flushInterval: number, waiting: Waiting, counters: Counters) {
    this.#room = room
    this.#flushInterval = flushInterval
    this.#waiting = waiting
    this.#counters = counters
  }

  get memberships (): ReadonlySet<Membership> { return this.#memberships }

  /**
   * Offset of the first entry that the fan-out writes to a membership added now. The caller must send all earlier entries
   * first.
   */
  get next (): number { return this.#batch?.first ?? this.#entries[0]?.offset ?? Infinity }

  add (membership: Membership): void { this.#memberships.add(membership) }

  delete (membership: Membership): void {
    this.#memberships.delete(membership)
    if (this.#memberships.size > 0) return
    // `next` must not include these entries: they won't be written to a membership that is added later.
    this.#entries = []
    this.#signals = []
    this.#batch = undefined
    this.#free(this.#bytes)
  }

  push (entries: readonly Entry[]): void {
    if (this.#memberships.size === 0) return
    if (this.#entries.length === 0 && this.#counters.timings !== undefined) this.#receivedAt = performance.now()
    let bytes = 0
    for (const entry of entries) {
      this.#entries.push(entry)
      bytes += entryCost(entry)
    }
    this.#enqueued(bytes)
  }

  announce (signal: RoomSignal): void {
    if (this.#memberships.size === 0) return
    this.#signals.push(signal)
    this.#enqueued(signalCost(signal))
  }

  /** Writes everything that waits, synchronously. */
  flush (): void {
    while (this.#serve(Infinity));
  }

  /** Charges bytes that were enqueued, and schedules their write. Writes immediately above `WAITING_BYTES`. */
  #enqueued (bytes: number): void {
    this.#bytes += bytes
    this.#waiting.bytes += bytes
    if (this.#waiting.bytes > WAITING_BYTES) this.flush()
    else this.#schedule()
  }

  #free (bytes: number): void {
    this.#bytes -= bytes
    this.#waiting.bytes -= bytes
  }

  #schedule (): void {
    if (this.#scheduled) return
    this.#scheduled = true
    const wait = Math.max(this.#flushInterval, this.#pausedUntil === 0 ? 0 : this.#pausedUntil - performance.now())
    this.#pausedUntil = 0
    if (wait > 0) setTimeout(this.#run, wait)
    else atEndOfTick(this.#run)
  }

  readonly #run = () => {
    this.#scheduled = false
    if (this.#serve(MEMBERSHIPS_PER_SLICE)) this.#schedule()
  }

  /** Charges the encoding of the batch until it is written to all memberships. */
  readonly #encoded = (bytes: number) => {
    this.#batchBytes += bytes
    this.#free(-bytes)
  }

  /**
   * Writes to up to `members` memberships. Continues beyond that while the waiting bytes exceed `WAITING_BYTES`. Returns whether
   * there is more to write.
   */
  #serve (members: number): boolean {
    for (let served = 0; served < members || this.#waiting.bytes > WAITING_BYTES; served++) {
      this.#batch ??= this.#nextBatch()
      if (this.#batch === undefined) return false
      const { value: membership } = this.#unwritten.next()
      if (membership === undefined) {
        // The next batch waits for another tick, because a connection checks its pending bytes only at the first write of a tick.
        this.#batch = undefined
        this.#free(this.#batchBytes)
        if (this.#batchReceivedAt > 0) this.#counters.timings?.delivered((performance.now() - this.#batchReceivedAt) / 1_000)
        const isWaiting = this.#entries.length + this.#signals.length > 0
        this.#waited = isWaiting ? this.#waited + 1 : 0
        if (this.#waited >= SATURATED && this.#memberships.size > MEMBERSHIPS_PER_SLICE) this.#pause()
        return isWaiting
      }
      this.#counters.deliveries += membership.deliver(this.#batch)
    }
    return true
  }

  #pause (): void {
    const now = performance.now()
    this.#pausedUntil = now + (now - this.#batchStartedAt) * PAUSE_FACTOR
  }

  #nextBatch (): Batch | undefined {
    if (this.#entries.length + this.#signals.length === 0) return undefined
    const entries = this.#takeEntries()
    const signals = this.#signals
    if (signals.length > 0) this.#signals = []
    this.#batchReceivedAt = entries.length > 0 ? this.#receivedAt : 0
    // Leaves out the entries that wait for a later batch. Usually there are none.
    this.#batchBytes = this.#entries.reduce((bytes, entry) => bytes - entryCost(entry), this.#bytes)
    this.#unwritten = this.#memberships.values()
    if (this.#memberships.size > MEMBERSHIPS_PER_SLICE) this.#batchStartedAt = performance.now()
    return new Batch(this.#room, entries, signals, this.#encoded)
  }

  /** Removes and returns the entries of the next batch. */
  #takeEntries (): Entry[] {
    const entries = this.#entries
    let bytes = 0
    let end = 0
    while (end < entries.length && bytes < BATCH_BYTES) bytes += contentBytes(entries[end++]!)
    this.#entries = entries.slice(end)
    if (end < entries.length) entries.length = end
    return entries
  }
}

function contentBytes ({ body, data = '' }: Entry): number {
  return Buffer.byteLength(body) + data.length
}

/** Returns the bytes of memory of a signal and of the members in it. */
function signalCost (signal: RoomSignal): number {
  return 'typing' in signal ? 256 : 256 * (1 + signal.presence.joined.length + signal.presence.left.length)
}
