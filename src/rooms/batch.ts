import { deflatedFrame } from '../connection/deflate.ts'
import { frames, type Frames, type Payload } from '../connection/frame.ts'
import type { Signal } from './presence-diff.ts'
import { takeAcks, type Format, type Membership } from './membership.ts'
import type { Entry } from '../store.ts'

/** A batch as one format has it: the frames of its entries, and of the notices after them. payloads: of the entries. */
interface Encoded extends Frames { readonly payloads: readonly Payload[], readonly notices: number }

/** The frames, and the payloads that they were made of, whose strings may take two bytes for one of the frame. */
const COPIES = 3

/** What a room gives to all its members at once: encoded once for each format, shared by its members. */
export class Batch {
  readonly first: number
  readonly #last: number
  readonly #room: string
  readonly #entries: readonly Entry[]
  readonly #notices: readonly Signal[]
  readonly #senders: ReadonlySet<string | undefined>
  readonly #encoded = new Map<Format, Encoded>()
  readonly #charge: (bytes: number) => void

  /** @param charge called with the bytes of memory of each format, once it is encoded */
  constructor (room: string, entries: readonly Entry[], notices: readonly Signal[], charge: (bytes: number) => void) {
    this.#room = room
    this.#charge = charge
    this.#entries = entries
    this.#notices = notices
    this.#senders = new Set(entries.map(({ from }) => from?.id))
    this.first = entries[0]?.n ?? Infinity
    this.#last = entries.at(-1)?.n ?? 0
  }

  /** Gives how many messages it wrote. */
  serve (seat: Membership): number {
    const { connection, mark } = seat
    const encoded = this.#in(seat.format)
    if (mark < this.#last) seat.mark = this.#last
    if (mark < this.first && (seat.hearsItself || !this.#senders.has(seat.member.id))) {
      const { bytes, payloads: { length }, notices } = encoded
      return connection.write(bytes, length + notices, takeAcks(seat)) ? length : 0
    }
    return this.#servePart(seat, mark, encoded)
  }

  /** To who joined in the middle of it, or doesn't hear itself. */
  #servePart (seat: Membership, mark: number, { bytes, ends, notices }: Encoded): number {
    const { connection, hearsItself, member } = seat
    const wanted: Buffer[] = []
    let start = 0
    for (const [i, { n, from }] of this.#entries.entries()) {
      if (n > mark && (hearsItself || from?.id !== member.id)) wanted.push(bytes.subarray(start, ends[i]))
      start = ends[i]!
    }
    const acks = takeAcks(seat)
    if (wanted.length + notices > 0) {
      const all = Buffer.concat([...wanted, bytes.subarray(start)])
      return connection.write(all, wanted.length + notices, acks) ? wanted.length : 0
    }
    if (acks !== undefined) connection.reply(acks)
    return 0
  }

  #in (format: Format): Encoded {
    let encoded = this.#encoded.get(format)
    if (encoded === undefined) {
      encoded = this.#encode(format)
      this.#encoded.set(format, encoded)
      this.#charge(COPIES * encoded.bytes.length)
    }
    return encoded
  }

  #encode (format: Format): Encoded {
    const { deflates: base = format } = format
    const payloads = this.#encoded.get(base)?.payloads ?? this.#entries.map((entry) => base.entry(this.#room, entry))
    const notices = this.#notices.map((notice) => format.notice(this.#room, notice)).filter((notice) => notice !== undefined)
    const encoded = base === format ? frames([...payloads, ...notices]) : deflated(payloads, notices)
    return { ...encoded, payloads, notices: notices.length }
  }
}

function deflated (payloads: readonly Payload[], notices: readonly Payload[]): Frames {
  const entries = payloads.map(deflatedFrame)
  let end = 0
  const ends = entries.map(({ length }) => { end += length; return end })
  return { bytes: Buffer.concat([...entries, frames(notices).bytes]), ends }
}
