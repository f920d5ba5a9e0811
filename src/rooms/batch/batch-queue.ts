import type { Changed } from '../../change.ts'
import { entryCost } from '../../heap-cost.ts'
import type { Cursor, Entry, Position } from '../../store.ts'
import { Batch, type BatchChanges } from './batch.ts'
import { OutstandingStreams } from './outstanding-streams.ts'
import { batched, PendingChanges, type PendingChange } from './pending-changes.ts'
import type { RoomSignal } from './signal.ts'

/** Approximate bytes of content in one batch. */
const BATCH_BYTES = 256 * 1024

/** Entries that cost less have less content than `BATCH_BYTES`: a character costs two bytes and has at most three. */
const BATCH_COST = BATCH_BYTES * 2 / 3

/** Maximum bytes of memory that wait in the fan-outs of all rooms, batches included. */
const WAITING_BYTES = 16 * 1024 * 1024

const NONE: readonly Entry[] = []

const NO_CHANGES: readonly PendingChange[] = []

/** Bytes of memory that wait in the fan-outs of all rooms. */
export interface Waiting { bytes: number }

/** The entries, changes and signals of a room that wait to be written, and the batch that is being written. Charges their memory. */
export class BatchQueue {
  readonly #room: string
  readonly #waiting: Waiting
  #entries = NONE
  /** `#entries` if nothing else references the array; else undefined. */
  #own: Entry[] | undefined
  /** Created for the first change of the room. */
  #changes: PendingChanges | undefined
  /** Number of the last change that the store delivered, if no batch has completed it; else 0. */
  #reached = 0
  /** As of the current batch. */
  readonly #streams = new OutstandingStreams()
  #signals: RoomSignal[] = []
  #batch: Batch | undefined
  /** Waiting bytes of this room, and the part of them in the current batch. */
  #bytes = 0
  #batchBytes = 0

  /** @param waiting shared by all rooms */
  constructor (room: string, waiting: Waiting) {
    this.#room = room
    this.#waiting = waiting
  }

  /** Whether nothing waits for the next batch. */
  get isEmpty (): boolean { return this.#entries.length + this.#signals.length + this.#reached === 0 }

  /** Whether the waiting bytes exceed their limit. */
  get isFull (): boolean { return this.#waiting.bytes > WAITING_BYTES }

  /** The current batch: it is being written. Undefined for none. */
  get batch (): Batch | undefined { return this.#batch }

  /** Offset of the first entry of the current batch, else of the first one that waits; Infinity for none. */
  get first (): number { return this.#batch?.first ?? this.#entries[0]?.offset ?? Infinity }

  /** Number of the first change of the current batch, else of the first one that waits; Infinity for none. */
  get firstChange (): number { return Math.min(this.#batch?.firstChange ?? Infinity, this.#changes?.next ?? Infinity) }

  /** The outstanding streams of clients without changes. */
  get streams (): readonly Cursor[] { return this.#streams.cursors }

  /** Called when the store has begun to deliver after this position. */
  startAfter (position: Position): void { this.#streams.startAfter(position) }

  /** Adds streams that are outstanding for a member, if the store doesn't deliver them anew. */
  learn (streams: readonly Cursor[]): void {
    const next = this.#entries[0]?.offset ?? Infinity
    const batch = this.#batch
    this.#streams.add(streams.filter(({ offset }) => offset < next && batch?.ends(offset) !== true))
  }

  /** Called when the entry at a position is no longer kept. */
  forget (position: Position): void { this.#streams.forget(position) }

  /** Called instead of `push` and `change` if nobody receives them. */
  skip (entries: readonly Entry[], changes: readonly Changed[]): void {
    this.#streams.take(entries, this.#streams.isEmpty ? NO_CHANGES : batched(changes))
  }

  /** @param entries MUST NOT change afterwards */
  push (entries: readonly Entry[]): void {
    let bytes = 0
    for (const entry of entries) bytes += entryCost(entry)
    this.#charge(bytes)
    // In most batches, all entries are from one call, and aren't copied.
    if (this.#entries.length === 0) return this.#replace(entries)
    this.#own ??= [...this.#entries]
    for (const entry of entries) this.#own.push(entry)
    this.#entries = this.#own
  }

  /** @param reached number of the last change that is part of `changes` or of entries that were pushed */
  change (changes: readonly Changed[], reached: number): void {
    if (changes.length > 0) this.#push(changes, this.#changes ??= new PendingChanges())
    this.#reached = reached
  }

  announce (signal: RoomSignal): void {
    this.#signals.push(signal)
    this.#charge(signalCost(signal))
  }

  /** Begins a batch. Returns undefined if nothing waits. */
  begin (): Batch | undefined {
    if (this.isEmpty) return undefined
    const entries = this.#takeEntries()
    const signals = this.#signals
    if (signals.length > 0) this.#signals = []
    const changes = this.#reached === 0 ? undefined : this.#takeChanges(entries)
    // Leaves out the entries and changes that wait for a later batch. Usually there are none.
    this.#batchBytes = this.#bytes - (this.#changes?.cost ?? 0)
    for (const entry of this.#entries) this.#batchBytes -= entryCost(entry)
    const messages = this.#streams.take(entries, changes?.items ?? NO_CHANGES)
    this.#batch = new Batch(this.#room, entries, signals, this.#chargeEncoding, changes, messages)
    return this.#batch
  }

  /** Ends the current batch. Call it when the batch was written. */
  end (): void {
    this.#batch = undefined
    this.#charge(-this.#batchBytes)
  }

  clear (): void {
    this.#streams.take(this.#entries, this.#changes?.take(Infinity, Infinity) ?? NO_CHANGES)
    this.#replace(NONE)
    this.#reached = 0
    this.#signals = []
    this.#batch = undefined
    this.#charge(-this.#bytes)
  }

  #push (changes: readonly Changed[], pending: PendingChanges): void {
    const before = pending.cost
    for (const changed of changes) pending.push(changed)
    this.#charge(pending.cost - before)
  }

  /** Removes and returns the entries of the next batch. */
  #takeEntries (): readonly Entry[] {
    const entries = this.#entries
    if (this.#bytes < BATCH_COST) {
      this.#replace(NONE)
      return entries
    }
    let bytes = 0
    let end = 0
    while (end < entries.length && bytes < BATCH_BYTES) bytes += contentBytes(entries[end++]!)
    this.#replace(entries.slice(end))
    return entries.slice(0, end)
  }

  /** Removes and returns the changes of the next batch. @param entries of that batch */
  #takeChanges (entries: readonly Entry[]): BatchChanges {
    const pending = this.#changes
    const items = pending?.take(this.#entries.length === 0 ? Infinity : entries.at(-1)?.offset ?? 0, BATCH_COST) ?? NO_CHANGES
    if (pending !== undefined && pending.size > 0) return { items, last: pending.earliest - 1 }
    const last = this.#reached
    this.#reached = 0
    return { items, last }
  }

  #replace (entries: readonly Entry[]): void {
    this.#entries = entries
    this.#own = undefined
  }

  #charge (bytes: number): void {
    this.#bytes += bytes
    this.#waiting.bytes += bytes
  }

  /** Charges the encoding of the batch until it ends. */
  readonly #chargeEncoding = (bytes: number) => {
    this.#batchBytes += bytes
    this.#charge(bytes)
  }
}

function contentBytes ({ body, data = '' }: Entry): number {
  return Buffer.byteLength(body) + data.length
}

/** Returns the bytes of memory of a signal, with its data and the members in it. */
function signalCost (signal: RoomSignal): number {
  if ('typing' in signal) return 256
  if ('data' in signal) return 256 + 2 * signal.data.length
  const { joined, left } = signal.presence
  return joined.reduce((bytes, { data = '' }) => bytes + 2 * data.length, 256 * (1 + joined.length + left.length))
}
