import type { Connection } from './connection.ts'
import type { Entry } from './store/store.ts'

/** How an entry goes over the wire: one whole frame. */
export type Format = (entry: Entry) => Buffer

/** One member's place in a room. */
export interface Seat {
  readonly connection: Connection
  readonly format: Format
  /** The id of whose messages it doesn't want: its own, or nobody's. */
  readonly deafTo: string | undefined
  /** Everything up to this number was given to it. */
  mark: number
}

/** Bytes of content that are joined into one batch, about. */
const BATCH_BYTES = 256 * 1024

/** Members served before the event loop gets a breath. */
const SLICE = 512

/**
 * Brings a room's entries to its members: what came in one turn of the event loop is joined into one buffer, that all
 * members of a format share, and each gets it in one write. A batch has been served to all before the next is cut.
 */
export class Outbox {
  readonly #seats = new Set<Seat>()
  #queue: Entry[] = []
  #batch: Batch | undefined
  #unserved = this.#seats.values()
  #scheduled = false

  get size (): number { return this.#seats.size }

  /** The number of the first entry that a member added now will be served; all before it must be in its mark. */
  get next (): number { return this.#batch?.first ?? this.#queue[0]?.n ?? Infinity }

  add (seat: Seat): void { this.#seats.add(seat) }

  delete (seat: Seat): void {
    this.#seats.delete(seat)
    if (this.#seats.size > 0) return
    // Nobody is left to serve it to; who joins now must not be taken to wait for it.
    this.#queue = []
    this.#batch = undefined
  }

  push (entries: readonly Entry[]): void {
    if (this.#seats.size === 0) return
    for (const entry of entries) this.#queue.push(entry)
    this.#schedule()
  }

  /** Serves all there is, now. */
  flush (): void {
    while (this.#serve(Infinity));
  }

  /** The numbers begin anew after this one: serves what there is, and every member goes on from there. */
  restart (n: number): void {
    this.flush()
    for (const seat of this.#seats) seat.mark = n
  }

  /** A microtask would come once for every socket that was read from; this comes once a turn, after all of them. */
  #schedule (): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.#serve(SLICE)) this.#schedule()
    })
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
        return this.#queue.length > 0
      }
      this.#batch.serve(seat)
    }
    return true
  }

  #cut (): Batch | undefined {
    if (this.#queue.length === 0) return undefined
    let bytes = 0
    let end = 0
    while (end < this.#queue.length && bytes < BATCH_BYTES) bytes += this.#queue[end++]!.body.length
    const entries = this.#queue.splice(0, end)
    this.#unserved = this.#seats.values()
    return new Batch(entries)
  }
}

interface Encoded { readonly bytes: Buffer, readonly frames: readonly Buffer[] }

class Batch {
  readonly first: number
  readonly #last: number
  readonly #entries: readonly Entry[]
  readonly #senders: ReadonlySet<string | undefined>
  readonly #encoded = new Map<Format, Encoded>()

  constructor (entries: readonly Entry[]) {
    this.#entries = entries
    this.#senders = new Set(entries.map(({ from }) => from?.id))
    this.first = entries[0]!.n
    this.#last = entries.at(-1)!.n
  }

  serve (seat: Seat): void {
    const { connection, mark, deafTo } = seat
    if (mark >= this.#last) return
    seat.mark = this.#last
    const { bytes, frames } = this.#in(seat.format)
    if (deafTo !== undefined && this.#senders.has(deafTo)) {
      const others = frames.filter((_, i) => this.#entries[i]!.n > mark && this.#entries[i]!.from?.id !== deafTo)
      if (others.length > 0) connection.write(Buffer.concat(others), others.length)
    } else if (mark < this.first) {
      connection.write(bytes, frames.length)
    } else {
      const had = this.#entries.findIndex(({ n }) => n > mark)
      const skipped = frames.slice(0, had).reduce((sum, { length }) => sum + length, 0)
      connection.write(bytes.subarray(skipped), frames.length - had)
    }
  }

  #in (format: Format): Encoded {
    let encoded = this.#encoded.get(format)
    if (encoded === undefined) {
      const frames = this.#entries.map(format)
      encoded = { frames, bytes: frames.length === 1 ? frames[0]! : Buffer.concat(frames) }
      this.#encoded.set(format, encoded)
    }
    return encoded
  }
}
