import type { Entry, Position } from '../store.ts'

/** Maximum number of positions. A client with more unacknowledged posts while a text is streamed may see an acknowledged one twice. */
const MAX_POSITIONS = 100

/** The positions on the wire of the newest messages of a member itself. The acknowledgement of a post has that of its message. */
export class OwnPositions {
  /** By offset. */
  readonly #positions = new Map<number, Position>()

  keep ({ offset, position }: Entry): void {
    this.#positions.set(offset, position)
    if (this.#positions.size <= MAX_POSITIONS) return
    const [oldest] = this.#positions.keys()
    this.#positions.delete(oldest!)
  }

  get (offset: number): Position | undefined { return this.#positions.get(offset) }
}
