import { codePoints } from '../code-points.ts'
import type { Change, Message } from '../messages.ts'
import type { ServerMessage } from '../protocol.ts'

/** Maximum texts whose length is known. Beyond it, the gaps of the oldest ones aren't detected. */
const MAX_TEXTS = 1_000

/** The lengths of a room's streamed texts, as far as they were received. Detects a missing part. */
export class StreamedTexts {
  /** In code points, by the position of the message. */
  readonly #lengths = new Map<string, number>()

  /** @throws if text is missing before that of a change */
  receive (message: ServerMessage): void {
    if (message.type === 'message') this.#whole(message)
    else if (message.type === 'changed') this.#change(message)
    else if (message.type === 'joined') {
      if (!message.complete) this.#lengths.clear()
      for (const change of message.changes ?? []) this.#change(change)
      for (const received of message.messages) this.#whole(received)
    }
  }

  #change (change: Change): void {
    const { position, appended, ended, deleted, whole } = change
    if (whole === true) return this.#whole(change)
    if (appended !== undefined) this.#append(position, appended)
    if (ended === true || deleted === true) this.#lengths.delete(position)
  }

  #append (position: string, { at, text }: NonNullable<Change['appended']>): void {
    const length = this.#lengths.get(position)
    if (length !== undefined && at > length) {
      throw new Error(`the server sent text at ${at} of the message ${position}, which has ${length} code points`)
    }
    this.#set(position, at + codePoints(text))
  }

  #whole ({ position, streaming, text = '' }: Message | Change): void {
    if (streaming === true) this.#set(position, codePoints(text))
    else this.#lengths.delete(position)
  }

  #set (position: string, length: number): void {
    this.#lengths.set(position, length)
    if (this.#lengths.size > MAX_TEXTS) this.#lengths.delete(this.#lengths.keys().next().value!)
  }
}
