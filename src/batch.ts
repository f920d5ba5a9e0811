import { deflateFrame } from './deflate.ts'
import type { Notice } from './notice.ts'
import { takeAcks, type Format, type Seat } from './seat.ts'
import type { Entry } from './store/store.ts'

/** A batch as one format has it: `entries` are the frames of its entries, `bytes` those and the notices after them. */
interface Encoded {
  readonly bytes: Buffer
  readonly entries: readonly Buffer[]
  readonly entryBytes: number
  readonly notices: number
}

/** What a room gives to all its members at once: encoded once for each format, shared by its members. */
export class Batch {
  readonly first: number
  readonly #last: number
  readonly #room: string
  readonly #entries: readonly Entry[]
  readonly #notices: readonly Notice[]
  readonly #senders: ReadonlySet<string | undefined>
  readonly #encoded = new Map<Format, Encoded>()

  constructor (room: string, entries: readonly Entry[], notices: readonly Notice[]) {
    this.#room = room
    this.#entries = entries
    this.#notices = notices
    this.#senders = new Set(entries.map(({ from }) => from?.id))
    this.first = entries[0]?.n ?? Infinity
    this.#last = entries.at(-1)?.n ?? 0
  }

  /** Gives how many messages it wrote. */
  serve (seat: Seat): number {
    const { connection, mark } = seat
    const encoded = this.#in(seat.format)
    if (mark < this.#last) seat.mark = this.#last
    if (mark < this.first && (seat.hearsItself || !this.#senders.has(seat.member.id))) {
      const { bytes, entries: { length }, notices } = encoded
      return connection.write(bytes, length + notices, takeAcks(seat)) ? length : 0
    }
    return this.#servePart(seat, mark, encoded)
  }

  /** To who joined in the middle of it, or doesn't hear itself. */
  #servePart (seat: Seat, mark: number, { bytes, entries, entryBytes, notices }: Encoded): number {
    const { connection, hearsItself, member } = seat
    const wanted = entries.filter((_, i) => {
      const { n, from } = this.#entries[i]!
      return n > mark && (hearsItself || from?.id !== member.id)
    })
    const acks = takeAcks(seat)
    if (wanted.length + notices > 0) {
      const all = Buffer.concat([...wanted, bytes.subarray(entryBytes)])
      return connection.write(all, wanted.length + notices, acks) ? wanted.length : 0
    }
    if (acks !== undefined) connection.reply(acks)
    return 0
  }

  #in (format: Format): Encoded {
    let encoded = this.#encoded.get(format)
    if (encoded === undefined) {
      const entries = format.deflates === undefined
        ? this.#entries.map((entry) => format.entry(this.#room, entry))
        : this.#in(format.deflates).entries.map(deflateFrame)
      const notices = this.#notices.map((notice) => format.notice(this.#room, notice)).filter(({ length }) => length > 0)
      const bytes = entries.length === 1 && notices.length === 0 ? entries[0]! : Buffer.concat([...entries, ...notices])
      const entryBytes = entries.reduce((sum, { length }) => sum + length, 0)
      encoded = { bytes, entries, entryBytes, notices: notices.length }
      this.#encoded.set(format, encoded)
    }
    return encoded
  }
}
