import { copyString } from '../../copy-string.ts'
import { stringCost } from '../../heap-cost.ts'
import { READ_POSITIONS_TTL, type ReadPosition } from '../../store.ts'
import { boundedPositions, movesForward, staysAfter, type ReadCursor } from '../read-position.ts'
import { Recency, type Recent } from './recency.ts'

/** The read positions of one member. */
interface ReadRecord extends Recent<ReadRecord> {
  readonly memberId: string
  /** In the order of the room names. Replaced as a whole, because callers of `get` keep it. */
  positions: readonly ReadPosition[]
  /** last use, ms since 1970 */
  used: number
  /** bytes of memory */
  bytes: number
}

/** Bytes of a record without its positions and its member: its object, its array, and its slot in a half-full map. */
const RECORD = 256

/** Bytes of a read position without its strings, and of its slot in an array. */
const POSITION = 96

const NONE: readonly ReadPosition[] = []

/** The read positions of members, one record a member, in the order of their last use. */
export class MemoryReadPositions {
  readonly #records = new Map<string, ReadRecord>()
  readonly #recency = new Recency<ReadRecord>()
  #bytes = 0

  /** Bytes of memory. */
  get bytes (): number { return this.#bytes }
  /** Last use of the least recently used record, ms since 1970; Infinity if there is none. */
  get oldestUse (): number { return this.#recency.oldest?.used ?? Infinity }

  /** Returns the read positions of a member, in the order of the room names. The record becomes the most recently used one. */
  get (memberId: string): readonly ReadPosition[] {
    const record = this.#records.get(memberId)
    if (record === undefined) return NONE
    this.#recency.delete(record)
    this.#link(record)
    return record.positions
  }

  /**
   * Moves read positions forward, as `Store.markRead` specifies. @param free frees bytes of the store; never this record
   * @throws StoreBusy
   */
  mark (memberId: string, given: readonly ReadPosition[], free: (bytes: number) => void): void {
    const record = this.#records.get(memberId)
    const kept = new Map(record?.positions.map((position) => [position.room, position]))
    const moved = given.filter((position) => movesForward(position, kept.get(position.room)))
    if (record === undefined && moved.length === 0) return
    for (const position of moved) kept.set(position.room, copied(position))
    const positions = moved.length === 0 ? record!.positions : boundedPositions(kept.values())
    const before = record?.bytes ?? 0
    const bytes = moved.length === 0 ? before : bytesOf(memberId, positions)
    if (record !== undefined) this.#recency.delete(record)
    try {
      free(bytes - before)
    } catch (error) {
      if (record !== undefined) this.#link(record)
      throw error
    }
    const next = record ?? { memberId: copyString(memberId), positions, used: 0, bytes, older: undefined, newer: undefined }
    next.positions = positions
    next.bytes = bytes
    this.#bytes += bytes - before
    this.#records.set(next.memberId, next)
    this.#link(next)
  }

  /** Removes the read position of a member in a room, as `Store.forgetRead` specifies. */
  forget (memberId: string, room: string, upTo?: ReadCursor): void {
    const record = this.#records.get(memberId)
    const positions = record?.positions.filter((position) => position.room !== room || staysAfter(upTo, position)) ?? NONE
    if (record === undefined || positions.length === record.positions.length) return
    if (positions.length === 0) return this.#remove(record)
    const bytes = bytesOf(memberId, positions)
    this.#bytes += bytes - record.bytes
    record.bytes = bytes
    record.positions = positions
  }

  /** Removes the least recently used record. */
  removeOldest (): void {
    if (this.#recency.oldest !== undefined) this.#remove(this.#recency.oldest)
  }

  /** Removes the records that were not used for `READ_POSITIONS_TTL`. */
  sweep (): void {
    const since = Date.now() - READ_POSITIONS_TTL
    while (this.oldestUse <= since) this.removeOldest()
  }

  close (): void {
    this.#records.clear()
    this.#recency.clear()
    this.#bytes = 0
  }

  #link (record: ReadRecord): void {
    record.used = Date.now()
    this.#recency.add(record)
  }

  #remove (record: ReadRecord): void {
    this.#recency.delete(record)
    this.#records.delete(record.memberId)
    this.#bytes -= record.bytes
  }
}

function copied ({ room, offset, position, at }: ReadPosition): ReadPosition {
  return { room: copyString(room), offset, position: copyString(position), at }
}

function bytesOf (memberId: string, positions: readonly ReadPosition[]): number {
  return positions.reduce((sum, { room, position }) => sum + POSITION + stringCost(room) + stringCost(position), RECORD + stringCost(memberId))
}
