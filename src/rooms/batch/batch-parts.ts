import type { Framed, Payload } from '../../connection/writer.ts'
import type { Format } from './format.ts'
import { reactionsOf } from './merged-change.ts'
import type { WholeMessage } from './outstanding-streams.ts'
import type { PendingChange } from './pending-changes.ts'
import { receives, type Receiver } from './receiver.ts'
import type { Entry } from '../../store.ts'

/** A batch in one format: its entries, its changes, then its signals. payloads: of entries and changes. signals: their number. */
export interface EncodedBatch extends Framed { readonly format: Format, readonly payloads: readonly Payload[], readonly signals: number }

/**
 * A part of a batch for one member: messages, then messages for this member alone; undefined for none. messages: number of messages
 * in both, without acknowledgements.
 */
export interface BatchPart { readonly framed: Buffer, readonly messages: number, readonly own: readonly Payload[] | undefined }

/** Up to where a member has received entries and changes: an offset and a number. */
export interface Received { readonly offset: number, readonly change: number }

/** The parts of a batch, for members that can't be sent the whole buffer. */
export class BatchParts {
  readonly #room: string
  readonly #entries: readonly Entry[]
  readonly #changes: readonly PendingChange[]
  readonly #messages: readonly WholeMessage[] | undefined
  /** Parts of encoded batches, by their ranges. */
  readonly #slices = new Map<Buffer, Map<string, Buffer>>()

  /** @param messages for clients without changes; undefined if these are the entries */
  constructor (room: string, entries: readonly Entry[], changes: readonly PendingChange[], messages: readonly WholeMessage[] | undefined) {
    this.#messages = messages
    this.#room = room
    this.#entries = entries
    this.#changes = changes
  }

  /**
   * Returns the parts of a batch that a member receives, and then its acknowledgements. A change of reactions alone, one of them by
   * the member, is replaced by a message of its own. Any other change with one is followed by a message of its own reactions: many
   * members may have reacted, and the content may be large.
   */
  of (encoded: EncodedBatch, receiver: Receiver, received: Received, acks: readonly string[] | undefined): BatchPart[] {
    if (encoded.format.change === undefined && this.#messages !== undefined) return this.#restOfMessages(this.#messages, encoded, receiver, received, acks)
    const isWhole = this.#entries.every((entry) => entry.offset > received.offset && receives(receiver, entry)) &&
      (this.#changes[0]?.last ?? Infinity) > received.change
    return isWhole ? this.#whole(encoded, receiver.member.id, acks) : this.#rest(encoded, receiver, received, acks)
  }

  /** Leaves the shared messages in the buffers that other members are sent: a batch may be large, and its reactors many. */
  #whole (encoded: EncodedBatch, memberId: string, acks: readonly string[] | undefined): BatchPart[] {
    const { format, bytes, payloads, signals } = encoded
    const parts: BatchPart[] = []
    let first = 0
    for (const [i, item] of this.#changes.entries()) {
      const own = this.#ownChange(item, memberId, format)
      if (own === undefined) continue
      const at = this.#entries.length + i
      const end = hasContent(item) ? at + 1 : at
      parts.push({ framed: this.#slice(encoded, first, end), messages: end - first + 1, own: [own] })
      first = at + 1
    }
    const messages = payloads.length - first + signals
    const last = parts.at(-1)
    if (messages === 0 && last !== undefined) return [...parts.slice(0, -1), { ...last, own: [...last.own!, ...acks ?? []] }]
    if (messages === 0 && acks === undefined) return []
    return [...parts, { framed: first === 0 ? bytes : this.#slice(encoded, first, Infinity), messages, own: acks }]
  }

  /** Copies the messages that a member lacks. For a member that joined mid-batch, or excludes its own messages. */
  #rest (encoded: EncodedBatch, receiver: Receiver, { offset, change }: Received, acks: readonly string[] | undefined): BatchPart[] {
    const { format, bytes, ends, payloads, signals } = encoded
    const frame = (at: number) => bytes.subarray(ends[at - 1] ?? 0, ends[at])
    const frames: Buffer[] = []
    for (const [i, entry] of this.#entries.entries()) {
      if (entry.offset > offset && receives(receiver, entry)) frames.push(frame(i))
    }
    if (format.change !== undefined) {
      for (const [i, item] of this.#changes.entries()) {
        if (item.last <= change) continue
        const own = this.#ownChange(item, receiver.member.id, format)
        if (own === undefined || hasContent(item)) frames.push(frame(this.#entries.length + i))
        if (own !== undefined) frames.push(format.framing([own], []).bytes)
      }
    }
    const messages = frames.length + signals
    if (messages === 0 && acks === undefined) return []
    return [{ framed: Buffer.concat([...frames, bytes.subarray(ends[payloads.length - 1] ?? 0)]), messages, own: acks }]
  }

  /** Returns the messages that a member without changes lacks: usually all, in the buffer of the others. */
  #restOfMessages (
    all: readonly WholeMessage[], { bytes, ends, payloads, signals }: EncodedBatch, receiver: Receiver, { offset, change }: Received, acks: readonly string[] | undefined
  ): BatchPart[] {
    const frames: Buffer[] = []
    for (const [i, { entry, number }] of all.entries()) {
      if (receives(receiver, entry) && (number === 0 ? entry.offset > offset : number > change)) frames.push(bytes.subarray(ends[i - 1] ?? 0, ends[i]))
    }
    const messages = frames.length + signals
    if (messages === 0 && acks === undefined) return []
    const framed = frames.length === all.length ? bytes : Buffer.concat([...frames, bytes.subarray(ends[payloads.length - 1] ?? 0)])
    return [{ framed, messages, own: acks }]
  }

  #ownChange ({ merged, reactors }: PendingChange, memberId: string, { change }: Format): Payload | undefined {
    const own = reactors?.get(memberId)
    return own && change?.(this.#room, reactionsOf(merged), own)
  }

  /** Returns the messages from `first` to before `end`. Members with the same range share the buffer. */
  #slice ({ bytes, ends }: EncodedBatch, first: number, end: number): Buffer {
    const slices = this.#slices.get(bytes) ?? new Map<string, Buffer>()
    this.#slices.set(bytes, slices)
    const range = `${first} ${end}`
    const slice = slices.get(range) ?? bytes.subarray(ends[first - 1] ?? 0, end === 0 ? 0 : ends[end - 1])
    slices.set(range, slice)
    return slice
  }
}

/** Returns whether a change has more than counts of reactions. */
function hasContent ({ merged: { whole, edit, appended, ended } }: PendingChange): boolean {
  return whole !== undefined || edit !== undefined || appended !== undefined || ended !== undefined
}
