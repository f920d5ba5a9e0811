import type { Framed, Payload } from '../connection/writer.ts'
import type { Format } from './format.ts'
import type { Signal } from './presence-diff.ts'
import { takeAcks, type Membership } from './membership.ts'
import type { Entry } from '../store.ts'

/** A batch in one format: the frames of its entries, then those of its signals. payloads: of the entries. signals: a count. */
interface Encoded extends Framed { readonly payloads: readonly Payload[], readonly signals: number }

/** Bytes of memory for a byte of a frame: the frame itself, and its payload, a string of up to two bytes a character. */
const COPIES = 3

/** Entries and signals of a room that are written together. Each format is encoded once, and its memberships share the buffer. */
export class Batch {
  readonly first: number
  readonly #last: number
  readonly #room: string
  readonly #entries: readonly Entry[]
  readonly #signals: readonly Signal[]
  readonly #senders: ReadonlySet<string | undefined>
  readonly #encoded = new Map<Format, Encoded>()
  readonly #charge: (bytes: number) => void

  /** @param charge called once for each format, with the bytes of memory of its encoding */
  constructor (room: string, entries: readonly Entry[], signals: readonly Signal[], charge: (bytes: number) => void) {
    this.#room = room
    this.#charge = charge
    this.#entries = entries
    this.#signals = signals
    this.#senders = new Set(entries.map(({ from }) => from?.id))
    this.first = entries[0]?.offset ?? Infinity
    this.#last = entries.at(-1)?.offset ?? 0
  }

  /** Writes the batch to a membership. Returns the number of messages written. */
  serve (membership: Membership): number {
    const { connection, mark } = membership
    const encoded = this.#encodedIn(membership.format)
    if (mark < this.#last) membership.mark = this.#last
    if (mark < this.first && (membership.hearsItself || !this.#senders.has(membership.member.id))) {
      const { bytes, payloads: { length }, signals } = encoded
      return connection.writer.write(bytes, length + signals, takeAcks(membership)) ? length : 0
    }
    return this.#writePart(membership, mark, encoded)
  }

  /** Writes a part of the batch: for a member that joined mid-batch or excludes its own messages. */
  #writePart (membership: Membership, mark: number, { bytes, ends, signals }: Encoded): number {
    const { connection, hearsItself, member } = membership
    const parts: Buffer[] = []
    let start = 0
    for (const [i, { offset: n, from }] of this.#entries.entries()) {
      if (n > mark && (hearsItself || from?.id !== member.id)) parts.push(bytes.subarray(start, ends[i]))
      start = ends[i]!
    }
    const acks = takeAcks(membership)
    if (parts.length + signals > 0) {
      const all = Buffer.concat([...parts, bytes.subarray(start)])
      return connection.writer.write(all, parts.length + signals, acks) ? parts.length : 0
    }
    for (const ack of acks ?? []) connection.writer.reply(ack)
    return 0
  }

  #encodedIn (format: Format): Encoded {
    let encoded = this.#encoded.get(format)
    if (encoded === undefined) {
      encoded = this.#encode(format)
      this.#encoded.set(format, encoded)
      this.#charge(COPIES * encoded.bytes.length)
    }
    return encoded
  }

  #encode (format: Format): Encoded {
    const { sameEntriesAs: base = format } = format
    const payloads = this.#encoded.get(base)?.payloads ?? this.#entries.map((entry) => base.entry(this.#room, entry))
    const signals = this.#signals.map((signal) => format.signal(this.#room, signal)).filter((signal) => signal !== undefined)
    return { ...format.framing(payloads, signals), payloads, signals: signals.length }
  }
}
