// Members that are typing, and the signal that the user is typing.
import { setText } from '../dom.js'

const SIGNAL_MS = 2_000

/** Returns a function that shows who is typing in a room. */
export function typingLine (element, names) {
  return (members) => setText(element, members.length === 0 ? '' : `${names.list(members)} ${members.length === 1 ? 'is' : 'are'} typing…`)
}

/** Reports that the user is typing, at most once every SIGNAL_MS ms, and that the field is empty again. @param roomNow returns the room */
export function typingSignal (field, roomNow) {
  let sentAt = -Infinity
  let timer

  function signal () {
    timer = undefined
    if (field.value === '') return
    sentAt = Date.now()
    roomNow()?.typing()
  }

  field.addEventListener('input', () => {
    if (field.value === '') {
      if (sentAt > 0) roomNow()?.typing(false)
      sentAt = -Infinity
      return
    }
    const wait = sentAt + SIGNAL_MS - Date.now()
    if (wait <= 0) signal()
    else timer ??= setTimeout(signal, wait)
  })
}
