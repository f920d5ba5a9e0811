import type { Framed, Payload } from '../connection/writer.ts'
import type { Format } from './format.ts'
import type { RoomSignal } from './signal.ts'
import type { Entry } from '../store.ts'

/** A batch in one format: its entries, then its signals. payloads: of the entries. signals: their number. */
export interface EncodedBatch extends Framed { readonly format: Format, readonly payloads: readonly Payload[], readonly signals: number }

/** Bytes of memory for each encoded byte: the byte, and its character in the payload string, of up to two bytes. */
const COPIES = 3

/** Entries and signals of a room that are written together. Each format is encoded once, and its memberships share the buffer. */
export class Batch {
  /** Offset of the first entry; Infinity for none. */
  readonly first: number
  /** Offset of the last entry; 0 for none. */
  readonly last: number
  readonly #room: string
  readonly #entries: readonly Entry[]
  readonly #signals: readonly RoomSignal[]
  /** Ids of the senders; undefined until it is needed. */
  #senders: ReadonlySet<string | undefined> | undefined
  /** One for each format that was needed: in most rooms one. */
  #encoded: readonly EncodedBatch[] = []
  readonly #charge: (bytes: number) => void

  /** @param charge called once for each format, with the bytes of memory of its encoding */
  constructor (room: string, entries: readonly Entry[], signals: readonly RoomSignal[], charge: (bytes: number) => void) {
    this.#room = room
    this.#charge = charge
    this.#entries = entries
    this.#signals = signals
    this.first = entries[0]?.offset ?? Infinity
    this.last = entries.at(-1)?.offset ?? 0
  }

  /** Returns whether the batch has an entry of this member. */
  hasSender (memberId: string): boolean {
    this.#senders ??= new Set(this.#entries.map(({ from }) => from?.id))
    return this.#senders.has(memberId)
  }

  encodedIn (format: Format): EncodedBatch {
    const known = this.#find(format)
    if (known !== undefined) return known
    const encoded = this.#encode(format)
    this.#encoded = this.#encoded.concat(encoded)
    this.#charge(COPIES * encoded.bytes.length)
    return encoded
  }

  /**
   * Returns each entry after an offset, encoded. For a member that joined mid-batch or excludes its own messages.
   * @param excluded id of the member whose entries are left out; undefined for none
   */
  entriesAfter (offset: number, excluded: string | undefined, { bytes, ends }: EncodedBatch): Buffer[] {
    const entries: Buffer[] = []
    let start = 0
    for (const [i, entry] of this.#entries.entries()) {
      if (entry.offset > offset && (excluded === undefined || entry.from?.id !== excluded)) entries.push(bytes.subarray(start, ends[i]))
      start = ends[i]!
    }
    return entries
  }

  /** Returns all signals, encoded. */
  signalsOf ({ bytes, ends, payloads }: EncodedBatch): Buffer { return bytes.subarray(ends[payloads.length - 1] ?? 0) }

  #find (format: Format): EncodedBatch | undefined {
    for (const encoded of this.#encoded) if (encoded.format === format) return encoded
    return undefined
  }

  #encode (format: Format): EncodedBatch {
    const { framing, sameEntriesAs: base = format } = format
    const payloads = this.#find(base)?.payloads ?? this.#entries.map((entry) => base.entry(this.#room, entry))
    const signals = this.#signals.map((signal) => format.signal(this.#room, signal)).filter((signal) => signal !== undefined)
    // Not spread: V8 gives each spread object a map of its own, which costs more than the rest of a batch of one entry.
    const { bytes, ends } = framing(payloads, signals)
    return { format, bytes, ends, payloads, signals: signals.length }
  }
}
