import type { Change, Message } from '../../messages.ts'
import { MAX_TEXTS } from '../bounds.ts'
import { codePoints } from '../code-points.ts'
import type { RoomMessage } from '../room-events.ts'
import { contentOf } from './content.ts'

/**
 * Returns a function that detects missing parts of a room's streamed texts. Call it with each message of the server.
 * @throws (the function) if text is missing before that of a change
 */
export function streamedTexts (): (message: RoomMessage) => void {
  /** Lengths in code points, by the position of the message. */
  const lengths = new Map<string, number>()

  function set (position: string, length: number): void {
    lengths.set(position, length)
    if (lengths.size > MAX_TEXTS) lengths.delete(lengths.keys().next().value!)
  }

  function onWhole ({ position, streaming, text = '' }: Message | Change): void {
    if (streaming === true) set(position, codePoints(text))
    else lengths.delete(position)
  }

  function onChange (change: Change): void {
    const { position, appended, ended, deleted, whole } = change
    if (whole === true) return onWhole(change)
    if (appended !== undefined) {
      const { at, text } = appended
      const length = lengths.get(position)
      if (length !== undefined && at > length) {
        throw new Error(`the server sent no text from ${length} to ${at} of the message ${position}`)
      }
      set(position, at + codePoints(text))
    }
    if (ended === true || deleted === true) lengths.delete(position)
  }

  return (message) => {
    const { messages, changes } = contentOf(message)
    if (message.type === 'joined' && !message.complete) lengths.clear()
    changes.forEach(onChange)
    messages.forEach(onWhole)
  }
}
