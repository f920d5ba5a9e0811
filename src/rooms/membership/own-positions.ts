import { entryPosition } from '../batch/composed-position.ts'
import type { Cursor, Entry, Position } from '../../store.ts'

/** Maximum number of positions. A client with more unacknowledged posts while a text is streamed may see an acknowledged one twice. */
const MAX_POSITIONS = 100

/** The positions on the wire of the newest messages of a member itself. The acknowledgement of a post has that of its message. */
export class OwnPositions {
  /** By offset. */
  readonly #positions = new Map<number, Position>()
  /** On the wire: of the message after which the member resumed. Its offset isn't known. */
  #resumed: Position | undefined

  /** @param position on the wire after which the member resumes; undefined for none */
  resume (position: Position | undefined): void { this.#resumed = position }

  keep ({ offset, position }: Entry): void {
    this.#positions.set(offset, position)
    if (this.#positions.size <= MAX_POSITIONS) return
    const [oldest] = this.#positions.keys()
    this.#positions.delete(oldest!)
  }

  get (offset: number): Position | undefined { return this.#positions.get(offset) }

  /** Returns the position on the wire of a stored entry. */
  of ({ offset, position }: Cursor): Position {
    const known = this.#positions.get(offset)
    if (known !== undefined || this.#resumed === undefined) return known ?? position
    return entryPosition(this.#resumed) === position ? this.#resumed : position
  }
}
