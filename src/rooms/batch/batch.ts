import type { Payload } from '../../connection/writer.ts'
import { BatchParts, type EncodedBatch } from './batch-parts.ts'
import type { Format } from './format.ts'
import type { WholeMessage } from './outstanding-streams.ts'
import type { PendingChange } from './pending-changes.ts'
import type { RoomSignal } from './signal.ts'
import type { Entry } from '../../store.ts'

/** The changes of a batch. last: no change up to this number follows in a later batch. */
export interface BatchChanges { readonly items: readonly PendingChange[], readonly last: number }

/** Bytes of memory for each encoded byte: the byte, and its character in the payload string, of up to two bytes. */
const COPIES = 3

const NO_CHANGES: BatchChanges = { items: [], last: 0 }

const NO_SIGNALS: readonly Payload[] = []

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
  /** Undefined until it is needed. */
  #parts: BatchParts | undefined
  /** Undefined until it is needed. */
  #isShared: boolean | undefined
  readonly #charge: (bytes: number) => void
  /** The messages for clients without changes; undefined if these are the entries. */
  readonly messages: readonly WholeMessage[] | undefined

  /** @param charge called once for each encoding, with its bytes of memory */
  constructor (
    room: string, entries: readonly Entry[], signals: readonly RoomSignal[], charge: (bytes: number) => void, changes = NO_CHANGES,
    messages?: readonly WholeMessage[]
  ) {
    this.messages = messages
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

  /** Whether all members are sent the same changes: none of them is followed by a member's own reactions. */
  get isShared (): boolean { return (this.#isShared ??= this.#changes.items.every(({ reactors }) => reactors === undefined)) }

  /** Number of the first change; Infinity for none. */
  get firstChange (): number { return this.#changes.items[0]?.last ?? Infinity }

  /** No change up to this number follows in a later batch. */
  get lastChange (): number { return this.#changes.last }

  /** Returns whether an entry is no longer streaming after this batch. */
  ends (offset: number): boolean {
    return this.#changes.items.some(({ offset: other, merged, ended }) => other === offset && (ended !== undefined || merged.deleted === true || merged.whole?.deleted === true))
  }

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

  /** For a member that can't be sent the whole buffer. */
  get parts (): BatchParts { return (this.#parts ??= new BatchParts(this.#room, this.#entries, this.#changes.items, this.messages)) }

  #find (format: Format): EncodedBatch | undefined {
    for (const encoded of this.#encoded) if (encoded.format === format) return encoded
    return undefined
  }

  /** Whether a format with changes has other messages than one without. */
  #isChanged (): boolean {
    return this.messages !== undefined || this.#changes.items.length > 0 || this.#entries.some(({ revision }) => revision !== undefined)
  }

  /** Returns the encoding in a format that has the same messages as another one. */
  #copy (other: Format, format: Format): EncodedBatch {
    const { bytes, ends, payloads, signals } = this.encodedIn(other)
    return { format, bytes, ends, payloads, signals }
  }

  #encode (format: Format): EncodedBatch {
    const { framing, sameEntriesAs: base = format } = format
    const payloads = this.#find(base)?.payloads ?? this.#payloads(base)
    const signals = this.#signals.length === 0 ? NO_SIGNALS : this.#signalPayloads(format)
    // Not spread: V8 gives each spread object a map of its own, which costs more than the rest of a batch of one entry.
    const { bytes, ends } = framing(payloads, signals)
    this.#charge(COPIES * bytes.length)
    return { format, bytes, ends, payloads, signals: signals.length }
  }

  #payloads (format: Format): readonly Payload[] {
    const { change } = format
    if (change === undefined && this.messages !== undefined) return this.messages.map(({ entry }) => format.entry(this.#room, entry))
    const entries = this.#entryPayloads(format)
    const { items } = this.#changes
    return change === undefined || items.length === 0 ? entries : [...entries, ...items.map(({ merged }) => change(this.#room, merged))]
  }

  #signalPayloads (format: Format): readonly Payload[] {
    return this.#signals.map((signal) => format.signal(this.#room, signal)).filter((signal) => signal !== undefined)
  }

  #entryPayloads (format: Format): readonly Payload[] {
    const entry = this.#entries[0]
    // In small rooms, most batches have one. A closure takes more memory than the array.
    if (entry !== undefined && this.#entries.length === 1) return [format.entry(this.#room, entry)]
    return this.#entries.map((entry) => format.entry(this.#room, entry))
  }
}
