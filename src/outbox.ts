import { Batch } from './batch.ts'
import type { Notice } from './notice.ts'
import type { Seat } from './seat.ts'
import type { Entry } from './store/store.ts'
import type { Tally } from './tally.ts'
import { atTurnsEnd } from './turn.ts'

/** Bytes of content that are joined into one batch, about. */
const BATCH_BYTES = 256 * 1024

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
export class Outbox {
  readonly #room: string
  readonly #flushInterval: number
  readonly #tally: Tally
  readonly #seats = new Set<Seat>()
  #entries: Entry[] = []
  #notices: Notice[] = []
  #batch: Batch | undefined
  #unserved = this.#seats.values()
  #scheduled = false
  #begun = 0
  /** When the first of the entries came, and of those in the batch; 0 where nobody wants to know. */
  #came = 0
  #batchCame = 0
  #pausedUntil = 0

  /** @param flushInterval ms that a batch may gather; 0: to the end of the turn */
  constructor (room: string, flushInterval: number, tally: Tally) {
    this.#room = room
    this.#flushInterval = flushInterval
    this.#tally = tally
  }

  get seats (): ReadonlySet<Seat> { return this.#seats }

  /** The number of the first entry that a member added now will be served; all before it must be in its mark. */
  get next (): number { return this.#batch?.first ?? this.#entries[0]?.n ?? Infinity }

  add (seat: Seat): void { this.#seats.add(seat) }

  delete (seat: Seat): void {
    this.#seats.delete(seat)
    if (this.#seats.size > 0) return
    // Nobody is left to serve it to; who joins now must not be taken to wait for it.
    this.#entries = []
    this.#notices = []
    this.#batch = undefined
  }

  push (entries: readonly Entry[]): void {
    if (this.#seats.size === 0) return
    if (this.#entries.length === 0 && this.#tally.timings !== undefined) this.#came = performance.now()
    for (const entry of entries) this.#entries.push(entry)
    this.#schedule()
  }

  announce (notice: Notice): void {
    if (this.#seats.size === 0) return
    this.#notices.push(notice)
    this.#schedule()
  }

  /** Serves all there is, now. */
  flush (): void {
    while (this.#serve(Infinity));
  }

  #schedule (): void {
    if (this.#scheduled) return
    this.#scheduled = true
    const wait = Math.max(this.#flushInterval, this.#pausedUntil - performance.now())
    if (wait > 0) setTimeout(this.#run, wait)
    else atTurnsEnd(this.#run)
  }

  readonly #run = () => {
    this.#scheduled = false
    if (this.#serve(SLICE)) this.#schedule()
  }

  /** Gives whether there is more to serve. */
  #serve (members: number): boolean {
    for (let served = 0; served < members; served++) {
      this.#batch ??= this.#cut()
      if (this.#batch === undefined) return false
      const { value: seat } = this.#unserved.next()
      if (seat === undefined) {
        // The next one in a turn of its own: a healthy member's backlog is what earlier turns left.
        this.#batch = undefined
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
    this.#unserved = this.#seats.values()
    this.#begun = performance.now()
    return new Batch(this.#room, entries, notices)
  }
}

function contentBytes ({ body, data }: Entry): number {
  return Buffer.byteLength(body) + (data === undefined ? 0 : data.length)
}
