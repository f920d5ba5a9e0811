import type { Framed, Payload } from '../connection/writer.ts'
import type { Format } from './format.ts'
import type { PendingChange } from './pending-changes.ts'
import type { RoomSignal } from './signal.ts'
import type { Entry } from '../store.ts'

/** A batch in one format: its entries, its changes, then its signals. payloads: of entries and changes. signals: their number. */
export interface EncodedBatch extends Framed { readonly format: Format, readonly payloads: readonly Payload[], readonly signals: number }

/**
 * A part of a batch for one member: messages that members share, then messages for this member alone; undefined for none.
 * messages: number of messages in it, without acknowledgements.
 */
export interface BatchPart { readonly shared: Buffer, readonly messages: number, readonly own: readonly Payload[] | undefined }

/** The changes of a batch. last: no change up to this number follows in a later batch. */
export interface BatchChanges { readonly items: readonly PendingChange[], readonly last: number }

/** Bytes of memory for each encoded byte: the byte, and its character in the payload string, of up to two bytes. */
const COPIES = 3

const NO_CHANGES: BatchChanges = { items: [], last: 0 }

/**
 * Entries, changes and signals of a room that are written together. Each format is encoded once, and its memberships share the
 * buffer.
 */
export class Batch {
  /** Offset of the first entry; Infinity for none. */
  readonly first: number
  /** Offset of the last entry; 0 for none. */
  readonly last: number
  /** Without items, but not `NO_CHANGES`, if only entries contain the changes. */
  readonly #changes: BatchChanges
  readonly #room: string
  readonly #entries: readonly Entry[]
  readonly #signals: readonly RoomSignal[]
  /** Ids of the senders; undefined until it is needed. */
  #senders: ReadonlySet<string | undefined> | undefined
  /** One for each format that was needed: in most rooms one. */
  #encoded: readonly EncodedBatch[] = []
  /** Parts of encoded batches, by their ranges; undefined until one is needed. */
  #slices: Map<Buffer, Map<string, Buffer>> | undefined
  readonly #charge: (bytes: number) => void

  /** @param charge called once for each encoding, with its bytes of memory */
  constructor (
    room: string, entries: readonly Entry[], signals: readonly RoomSignal[], charge: (bytes: number) => void, changes = NO_CHANGES
  ) {
    this.#room = room
    this.#charge = charge
    this.#entries = entries
    this.#signals = signals
    this.#changes = changes
    this.first = entries[0]?.offset ?? Infinity
    this.last = entries.at(-1)?.offset ?? 0
  }

  /** Whether members have received changes with this batch, in its changes or in its entries. */
  get hasChanges (): boolean { return this.#changes !== NO_CHANGES }

  /** Number of the first change; Infinity for none. */
  get firstChange (): number { return this.#changes.items[0]?.last ?? Infinity }

  /** No change up to this number follows in a later batch. */
  get lastChange (): number { return this.#changes.last }

  /** Returns whether the batch has an entry of this member. */
  hasSender (memberId: string): boolean {
    this.#senders ??= new Set(this.#entries.map(({ from }) => from?.id))
    return this.#senders.has(memberId)
  }

  encodedIn (format: Format): EncodedBatch {
    const known = this.#find(format)
    if (known !== undefined) return known
    const { withoutChanges } = format
    const encoded = withoutChanges === undefined || this.#isChanged() ? this.#encode(format) : this.#copy(withoutChanges, format)
    this.#encoded = this.#encoded.concat(encoded)
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

  /** Returns each change after a number, encoded for one member. */
  changesAfter (number: number, memberId: string, { format, bytes, ends }: EncodedBatch): Buffer[] {
    if (format.change === undefined) return []
    return this.#changes.items.flatMap((item, i) => {
      if (item.last <= number) return []
      const own = this.#ownChange(item, memberId, format)
      const at = this.#entries.length + i
      return [own === undefined ? bytes.subarray(ends[at - 1] ?? 0, ends[at]) : format.framing([own], []).bytes]
    })
  }

  /**
   * Returns the whole batch for one member, and then its acknowledgements. A change by a reaction of the member is replaced by a
   * message of its own. Usually there is one part, the buffer that all members share.
   */
  partsFor (memberId: string, encoded: EncodedBatch, acks: readonly string[] | undefined): BatchPart[] {
    const { format, bytes, payloads, signals } = encoded
    const parts: BatchPart[] = []
    let first = 0
    for (const [i, item] of this.#changes.items.entries()) {
      const own = this.#ownChange(item, memberId, format)
      if (own === undefined) continue
      const at = this.#entries.length + i
      parts.push({ shared: this.#slice(encoded, first, at), messages: at - first + 1, own: [own] })
      first = at + 1
    }
    const messages = payloads.length - first + signals
    const last = parts.at(-1)
    if (messages === 0 && last !== undefined) return [...parts.slice(0, -1), { ...last, own: [...last.own!, ...acks ?? []] }]
    if (messages === 0 && acks === undefined) return []
    return [...parts, { shared: first === 0 ? bytes : this.#slice(encoded, first, Infinity), messages, own: acks }]
  }

  /** Returns all signals, encoded. */
  signalsOf ({ bytes, ends, payloads }: EncodedBatch): Buffer { return bytes.subarray(ends[payloads.length - 1] ?? 0) }

  #find (format: Format): EncodedBatch | undefined {
    for (const encoded of this.#encoded) if (encoded.format === format) return encoded
    return undefined
  }

  /** Whether a format with changes has other messages than one without. */
  #isChanged (): boolean {
    return this.#changes.items.length > 0 || this.#entries.some(({ revision }) => revision !== undefined)
  }

  #ownChange ({ merged, reactors }: PendingChange, memberId: string, { change }: Format): Payload | undefined {
    const own = reactors?.get(memberId)
    return own && change?.(this.#room, merged, own)
  }

  /** Returns the messages from `first` to before `end`. Members with the same range share the buffer. */
  #slice ({ bytes, ends }: EncodedBatch, first: number, end: number): Buffer {
    this.#slices ??= new Map()
    const slices = this.#slices.get(bytes) ?? new Map<string, Buffer>()
    this.#slices.set(bytes, slices)
    const slice = slices.get(`${first} ${end}`) ?? bytes.subarray(ends[first - 1] ?? 0, end === 0 ? 0 : ends[end - 1])
    slices.set(`${first} ${end}`, slice)
    return slice
  }

  /** Returns the encoding in a format that has the same messages as another one. */
  #copy (other: Format, format: Format): EncodedBatch {
    const { bytes, ends, payloads, signals } = this.encodedIn(other)
    return { format, bytes, ends, payloads, signals }
  }

  #encode (format: Format): EncodedBatch {
    const { framing, sameEntriesAs: base = format } = format
    const payloads = this.#find(base)?.payloads ?? this.#payloads(base)
    const signals = this.#signals.map((signal) => format.signal(this.#room, signal)).filter((signal) => signal !== undefined)
    // Not spread: V8 gives each spread object a map of its own, which costs more than the rest of a batch of one entry.
    const { bytes, ends } = framing(payloads, signals)
    this.#charge(COPIES * bytes.length)
    return { format, bytes, ends, payloads, signals: signals.length }
  }

  #payloads (format: Format): readonly Payload[] {
    const entries = this.#entries.map((entry) => format.entry(this.#room, entry))
    const { items } = this.#changes
    return format.change === undefined || items.length === 0
      ? entries
      : [...entries, ...items.map(({ merged }) => format.change!(this.#room, merged))]
  }
}
