import { Batch } from './batch.ts'
import { entryCost } from '../heap-cost.ts'
import type { Signal } from './presence-diff.ts'
import type { Membership } from './membership.ts'
import type { Entry } from '../store.ts'
import type { Counters } from '../observability/stats.ts'
import { atEndOfTick } from '../connection/tick.ts'

/** Bytes of content that are joined into one batch, about. */
const BATCH_BYTES = 256 * 1024

/** Bytes of memory of the outboxes of all rooms, encoded batches among it. Beyond, a room serves what it has at once, in whatever pause it is. */
const WAITING_BYTES = 16 * 1024 * 1024

/** Bytes of memory that waits to be served, of all rooms. */
export interface Waiting { bytes: number }

/** Members served before the event loop gets a breath. */
const SLICE = 512

/**
 * What serving a batch took, by what the next is put off at least, where it took several turns: no room takes more than
 * half of the event loop. In this pause more comes together, and other rooms have their turn.
 */
const PAUSE = 1

/**
 * Brings a room's entries to its members: what came in one turn of the event loop is joined into one buffer, that all
 * members of a format share, and each gets it in one write. A batch has been served to all before the next is cut.
 */
export class FanOut {
  readonly #room: string
  readonly #flushInterval: number
  readonly #waiting: Waiting
  readonly #tally: Counters
  readonly #seats = new Set<Membership>()
  #entries: Entry[] = []
  #notices: Signal[] = []
  /** Bytes of memory: of all that waits, and of what the batch was made of. */
  #bytes = 0
  #batchBytes = 0
  #batch: Batch | undefined
  #unserved = this.#seats.values()
  #scheduled = false
  #begun = 0
  /** When the first of the entries came, and of those in the batch; 0 where nobody wants to know. */
  #came = 0
  #batchCame = 0
  #pausedUntil = 0

  /** @param flushInterval ms that a batch may gather; 0: to the end of the turn */
  constructor (room: string, flushInterval: number, waiting: Waiting, tally: Counters) {
    this.#room = room
    this.#flushInterval = flushInterval
    this.#waiting = waiting
    this.#tally = tally
  }

  get memberships (): ReadonlySet<Membership> { return this.#seats }

  /** The number of the first entry that a member added now will be served; all before it must be in its mark. */
  get next (): number { return this.#batch?.first ?? this.#entries[0]?.n ?? Infinity }

  add (seat: Membership): void { this.#seats.add(seat) }

  delete (seat: Membership): void {
    this.#seats.delete(seat)
    if (this.#seats.size > 0) return
    // Nobody is left to serve it to; who joins now must not be taken to wait for it.
    this.#entries = []
    this.#notices = []
    this.#batch = undefined
    this.#free(this.#bytes)
  }

  push (entries: readonly Entry[]): void {
    if (this.#seats.size === 0) return
    if (this.#entries.length === 0 && this.#tally.timings !== undefined) this.#came = performance.now()
    let bytes = 0
    for (const entry of entries) {
      this.#entries.push(entry)
      bytes += entryCost(entry)
    }
    this.#charge(bytes)
  }

  announce (notice: Signal): void {
    if (this.#seats.size === 0) return
    this.#notices.push(notice)
    this.#charge(noticeCost(notice))
  }

  /** Serves all there is, now. */
  flush (): void {
    while (this.#serve(Infinity));
  }

  #charge (bytes: number): void {
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
    const wait = Math.max(this.#flushInterval, this.#pausedUntil - performance.now())
    if (wait > 0) setTimeout(this.#run, wait)
    else atEndOfTick(this.#run)
  }

  readonly #run = () => {
    this.#scheduled = false
    if (this.#serve(SLICE)) this.#schedule()
  }

  /** Charges the frames of the batch until all have been served. */
  readonly #encoded = (bytes: number) => {
    this.#batchBytes += bytes
    this.#free(-bytes)
  }

  /** Gives whether there is more to serve. */
  #serve (members: number): boolean {
    for (let served = 0; served < members || this.#waiting.bytes > WAITING_BYTES; served++) {
      this.#batch ??= this.#cut()
      if (this.#batch === undefined) return false
      const { value: seat } = this.#unserved.next()
      if (seat === undefined) {
        // The next one in a turn of its own: a healthy member's backlog is what earlier turns left.
        this.#batch = undefined
        this.#free(this.#batchBytes)
        if (this.#batchCame > 0) this.#tally.timings?.delivered((performance.now() - this.#batchCame) / 1_000)
        if (this.#seats.size > SLICE) this.#pause()
        return this.#entries.length + this.#notices.length > 0
      }
      this.#tally.deliveries += this.#batch.serve(seat)
    }
    return true
  }

  #pause (): void {
    const now = performance.now()
    this.#pausedUntil = now + (now - this.#begun) * PAUSE
  }

  #cut (): Batch | undefined {
    if (this.#entries.length + this.#notices.length === 0) return undefined
    let bytes = 0
    let end = 0
    while (end < this.#entries.length && bytes < BATCH_BYTES) bytes += contentBytes(this.#entries[end++]!)
    const entries = this.#entries.splice(0, end)
    this.#batchCame = end > 0 ? this.#came : 0
    const notices = this.#notices
    this.#notices = []
    this.#batchBytes = entries.reduce((sum, entry) => sum + entryCost(entry), notices.reduce((sum, notice) => sum + noticeCost(notice), 0))
    this.#unserved = this.#seats.values()
    this.#begun = performance.now()
    return new Batch(this.#room, entries, notices, this.#encoded)
  }
}

function contentBytes ({ body, data = '' }: Entry): number {
  return Buffer.byteLength(body) + data.length
}

/** Bytes of a notice, and of each member that it names. */
function noticeCost (notice: Signal): number {
  return 'typing' in notice ? 256 : 256 * (1 + notice.presence.joined.length + notice.presence.left.length)
}
