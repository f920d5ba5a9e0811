// Announces new messages to screen readers, at most once a second: in a busy room, as one summary.
import { textOf } from './text.js'

const INTERVAL = 1_000
const LONGEST = 200

export function announcer (element, names) {
  let waiting = []
  let last = -Infinity
  let timer

  function announce () {
    timer = undefined
    last = Date.now()
    const message = waiting.at(-1)
    const words = `${names.label(message.from)}: ${textOf(message).slice(0, LONGEST)}`
    element.textContent = waiting.length === 1 ? words : `${waiting.length} new messages. ${words}`
    waiting = []
  }

  return function add (message) {
    waiting.push(message)
    timer ??= setTimeout(announce, Math.max(0, last + INTERVAL - Date.now()))
  }
}
