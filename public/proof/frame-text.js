// The texts of a frame: in one line, and as a part of what is copied.
import { messageIn } from './frames.js'

/** Properties that would let a reader become this member. They are not shown, because people share what they see here. */
const secrets = new Set(['session', 'token'])

/** Returns the JSON of a frame, without secrets. @param space as of JSON.stringify */
export function jsonOf (frame, space) {
  if (typeof frame.data !== 'string') return `${frame.data.byteLength} bytes`
  const message = messageIn(frame)
  if (message.type === undefined) return frame.data
  return JSON.stringify(message, (key, value) => secrets.has(key) && typeof value === 'string' ? '(hidden)' : value, space)
}

/** Returns a short summary of a frame. */
export function summaryOf (frame) {
  const { type, text, messages, code, reaction, room } = messageIn(frame)
  if (type === undefined) return jsonOf(frame).slice(0, 100)
  if (messages !== undefined) return `${room}, ${messages.length} message${messages.length === 1 ? '' : 's'}`
  return (text ?? code ?? reaction ?? room ?? '').slice(0, 100)
}

/** Returns a line for the clipboard. */
export function frameText (frame) {
  const at = new Date(frame.at).toISOString()
  if (frame.note !== undefined) return `${at} -- ${frame.note}`
  return `${at} ${frame.sent ? '->' : '<-'} ${jsonOf(frame)}${frame.delivery === 'passed' ? '' : ` (${frame.delivery})`}`
}
