import type { Connection } from '../../connection/connection.ts'
import type { Format } from '../batch/format.ts'
import type { Position } from '../../store.ts'

/** The membership whose read position is reported. */
export interface ReadReportsOwner {
  readonly connection: Connection
  /** Name of the room. */
  readonly room: string
  readonly format: Format
  /** The read position of the member; undefined if there is none, or if the wire has no read positions. */
  readonly readPosition: Position | undefined
  /** Whether the member has caught up, and receives the messages of the room. */
  readonly isLive: boolean
  /** Offset of the newest entry that the answer to the join contained or preceded. */
  readonly joinedOffset: number
}

/** Reports the read position of a membership to its client, unless the client knows it. */
export class ReadReports {
  readonly #owner: ReadReportsOwner
  /** The last position that the client has received or marked. */
  #known: Position | undefined
  /** Whether the client must be sent `forgotten`. */
  #isForgotten = false
  /** Whether the client may have dropped its next mark, because it was sent `forgotten`. */
  #mustConfirm = false

  constructor (owner: ReadReportsOwner) {
    this.#owner = owner
  }

  /** Called when the client knows its read position, or that it has none. */
  clientKnows (position: Position | undefined): void { this.#known = position }

  /** Called when the client has marked a position. Returns whether the client must be sent the read position. */
  marked (position: Position): boolean {
    const mustConfirm = this.#mustConfirm
    this.#mustConfirm = false
    if (!mustConfirm) this.#known = position
    return mustConfirm
  }

  /** Called when the read position of the member was removed. */
  forgotten (): void {
    if (this.#owner.format.forgotten !== undefined) this.#isForgotten = true
    this.report()
  }

  /**
   * Called when the read position has moved to an entry of the member. Its message moves the read position of the client, unless the answer
   * to the join has it: the read position in that answer may be older.
   */
  posted (offset: number): void {
    if (offset <= this.#owner.joinedOffset) this.report()
  }

  /** Sends the read position, or its end, unless the client knows it. A member that catches up or is suspended receives it later. */
  report (): void {
    const { connection: { writer }, room, format: { read, forgotten }, readPosition, isLive } = this.#owner
    if (!isLive) return
    if (this.#isForgotten) {
      this.#isForgotten = false
      this.#mustConfirm = true
      this.#known = undefined
      writer.reply(forgotten!(room))
    }
    if (readPosition === undefined || readPosition === this.#known) return
    this.#known = readPosition
    writer.reply(read!(room, readPosition))
  }
}
