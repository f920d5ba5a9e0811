import { movesForward, orderedByRoom, type ReadCursor } from '../../drivers/read-position.ts'
import type { Reads } from './reads.ts'
import type { ReadPosition } from '../../store.ts'

/** Maximum number of rooms. Beyond it, the read position with the oldest message is removed. */
const MAX_ROOMS = 100

/** The read positions of a member that `authenticate` doesn't name. They end with its only connection, and are stored nowhere. */
export class ConnectionReads implements Reads {
  readonly #byRoom = new Map<string, ReadCursor>()

  use (): undefined { return undefined }

  release (): void {}

  of (room: string): ReadCursor | undefined { return this.#byRoom.get(room) }

  mark (room: string, cursor: ReadCursor): void { this.posted(room, cursor) }

  posted (room: string, cursor: ReadCursor): void {
    if (!movesForward(cursor, this.#byRoom.get(room))) return
    this.#byRoom.set(room, cursor)
    if (this.#byRoom.size > MAX_ROOMS) this.#removeOldest()
  }

  async list (): Promise<readonly ReadPosition[]> {
    return orderedByRoom([...this.#byRoom].map(([room, { offset, position, at }]) => ({ room, offset, position, at })))
  }

  async forget (room: string): Promise<void> { this.#byRoom.delete(room) }

  onForget (): () => void { return () => {} }

  #removeOldest (): void {
    let oldest: [room: string, at: number] | undefined
    for (const [room, { at }] of this.#byRoom) if (oldest === undefined || at < oldest[1]) oldest = [room, at]
    this.#byRoom.delete(oldest![0])
  }
}
