import type { FollowedRooms } from './followed-rooms.ts'
import type { InFlight } from './in-flight.ts'
import type { MemoryRecovery } from './memory-recovery.ts'
import type { RoomIndex } from './room-index.ts'
import type { RoomScripts } from './room-scripts.ts'
import type { ChangeCursor, Control } from '../../../change.ts'

/** Bytes of memory of a control without its content: promise, closures, arguments, and their copies in ioredis. */
const CONTROL_BYTES = 2_000

/** Stores the controls of rooms. */
export class Controls {
  readonly #scripts: RoomScripts
  readonly #recovery: MemoryRecovery
  readonly #index: RoomIndex
  readonly #inFlight: InFlight
  readonly #followed: FollowedRooms

  constructor ({ scripts, recovery, index, inFlight, followed }: {
    readonly scripts: RoomScripts
    readonly recovery: MemoryRecovery
    readonly index: RoomIndex
    readonly inFlight: InFlight
    readonly followed: FollowedRooms
  }) {
    this.#scripts = scripts
    this.#recovery = recovery
    this.#index = index
    this.#inFlight = inFlight
    this.#followed = followed
  }

  async store (room: string, control: Control): Promise<ChangeCursor> {
    const json = JSON.stringify(control)
    const cost = CONTROL_BYTES + 4 * json.length
    this.#inFlight.add(cost)
    try {
      const { charge, isPublished, isEmpty, change } = await this.#recovery.run(room, () => this.#scripts.control(room, json))
      this.#index.use(room, charge, isEmpty)
      if (!isPublished) this.#followed.catchUp(room)
      return change
    } finally {
      this.#inFlight.remove(cost)
    }
  }
}
