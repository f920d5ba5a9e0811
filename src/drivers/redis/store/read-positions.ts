import { MAX_READ_POSITIONS, type Position, type ReadPosition } from '../../../store.ts'
import { parsePosition } from '../../position.ts'
import { orderedByRoom } from '../../read-position.ts'
import type { InFlight } from './in-flight.ts'
import type { MemoryRecovery } from './memory-recovery.ts'
import type { ReadQueue } from './read-queue.ts'
import { recordName } from './record-name.ts'
import type { RecordScripts } from './record-scripts.ts'
import type { RoomIndex } from './room-index.ts'
import { TickQueue, type QueuedCall } from './tick-queue.ts'

interface Mark extends QueuedCall { readonly resolve: () => void }

/** Bytes of memory of a call without its positions: promise, closures, arguments, and their copies in ioredis. */
const CALL_BYTES = 1_500

/** Records of members. */
export class ReadPositions {
  readonly #scripts: RecordScripts
  readonly #queue: ReadQueue
  readonly #recovery: MemoryRecovery
  readonly #index: RoomIndex
  readonly #marks: TickQueue<Mark, number>

  constructor ({ scripts, queue, recovery, index, inFlight }: {
    readonly scripts: RecordScripts
    readonly queue: ReadQueue
    readonly recovery: MemoryRecovery
    readonly index: RoomIndex
    readonly inFlight: InFlight
  }) {
    this.#scripts = scripts
    this.#queue = queue
    this.#recovery = recovery
    this.#index = index
    this.#marks = new TickQueue((name, positions) => this.#write(name, positions), (_name, marks) => { for (const { resolve } of marks) resolve() }, inFlight)
  }

  async mark (memberId: string, positions: readonly ReadPosition[]): Promise<void> {
    for (let i = 0; i < positions.length; i += MAX_READ_POSITIONS) await this.#markSome(memberId, positions.slice(i, i + MAX_READ_POSITIONS))
  }

  /** Resolves with the read positions, in the order of the room names. @param onStart called before they are read, as by `RoomReader` */
  async read (memberId: string, room: string | undefined, onStart: () => void): Promise<ReadPosition[]> {
    const name = recordName(memberId)
    const [charge, ...fields] = await this.#queue.run(room === undefined ? MAX_READ_POSITIONS : 1, 0, async () => {
      onStart()
      return await this.#scripts.read(name, room)
    })
    if (charge > 0) this.#index.use(name, charge)
    const positions: ReadPosition[] = []
    for (let i = 0; i < fields.length; i += 2) {
      const [name, position] = [fields[i]!, fields[i + 1]!]
      const parts = parsePosition(position)
      // Only another program leaves something else in Redis.
      if (parts !== undefined) positions.push({ room: name, position, offset: parts.offset, at: parts.at })
    }
    return orderedByRoom(positions)
  }

  /** @param upTo keeps a position that `markRead` would put in its place */
  async forget (memberId: string, room: string, upTo?: Position): Promise<void> {
    const name = recordName(memberId)
    const charge = await this.#scripts.forget(name, room, upTo)
    if (charge !== undefined) this.#index.use(name, charge)
  }

  /** Sends the marks that wait for the end of the tick. */
  flush (): void { this.#marks.flush() }

  #markSome (memberId: string, positions: readonly ReadPosition[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const args = positions.flatMap(({ room, position }) => {
        if (parsePosition(position) === undefined) throw new TypeError('a read position must be one of this store')
        return [room, position]
      })
      const name = recordName(memberId)
      const bytes = args.reduce((sum, arg) => sum + arg.length, name.length)
      this.#marks.add(name, { args, bytes, cost: CALL_BYTES + 4 * bytes, resolve, reject })
    })
  }

  async #write (name: string, positions: ReadonlyArray<string | number>): Promise<number> {
    const charge = await this.#recovery.run(name, () => this.#scripts.mark(name, positions))
    if (charge > 0) this.#index.use(name, charge)
    return charge
  }
}
