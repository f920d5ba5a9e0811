import type { Payload } from '../../connection/writer.ts'
import type { Format } from '../batch/format.ts'
import type { Position } from '../../store.ts'

/** What the client of a membership knows of its read position. */
export class ReportedRead {
  /** The last position that the client has received or marked. */
  position: Position | undefined
  /** Whether the client must be sent `forgotten`. */
  #isForgotten = false
  /** Whether the client may have dropped its next mark, because it was sent `forgotten`. */
  #mustConfirm = false

  /** Called when the client has marked a position. Returns whether the client must be sent the read position. */
  marked (position: Position): boolean {
    const mustConfirm = this.#mustConfirm
    this.#mustConfirm = false
    if (!mustConfirm) this.position = position
    return mustConfirm
  }

  /** Called when the read position was removed. */
  forgotten (): void { this.#isForgotten = true }

  /** Returns the messages for the client: `forgotten` after a removal, and the present read position unless the client knows it. */
  report ({ read, forgotten }: Format, room: string, readPosition: Position | undefined): Payload[] {
    const payloads: Payload[] = []
    if (this.#isForgotten) {
      this.#isForgotten = false
      this.#mustConfirm = true
      this.position = undefined
      payloads.push(forgotten!(room))
    }
    if (readPosition !== undefined && readPosition !== this.position) {
      this.position = readPosition
      payloads.push(read!(room, readPosition))
    }
    return payloads
  }
}
