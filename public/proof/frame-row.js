// One line of the list of frames. Its JSON is formatted when it is unfolded.
import { build, button } from '../dom.js'
import { messageIn, positionsIn, sizeOf } from './frames.js'
import { jsonOf, summaryOf } from './frame-text.js'

const deliveries = { passed: '', held: 'waits', lost: 'lost' }

/**
 * Returns the row: its element, and functions that update its age and its delivery.
 * @param frames in which the acknowledgement of a post is searched
 * @param onMessage called with the room and the position of the message that the frame is about
 */
export function frameRow (frame, frames, onMessage) {
  const age = build('time', { dateTime: new Date(frame.at).toISOString() })
  // Kept here: hundreds of rows are compared, and reading the page is slow.
  let shownAge, shownDelivery
  const showAge = () => {
    const text = ageOf(frame)
    if (shownAge !== text) age.textContent = shownAge = text
  }
  showAge()
  if (frame.note !== undefined) return { element: build('li', { className: 'wire-note' }, frame.note, ' ', age), showAge, showDelivery () {} }

  const delivery = build('span', { className: 'delivery' })
  const details = build('details', { ontoggle: unfold },
    build('summary', {},
      build('span', { className: 'arrow', role: 'img', 'aria-label': frame.sent ? 'sent' : 'received' }, frame.sent ? '↑' : '↓'),
      build('span', { className: 'type' }, messageIn(frame).type ?? 'data'),
      build('span', { className: 'words', dir: 'auto' }, summaryOf(frame)),
      delivery,
      build('span', { className: 'size' }, formatSize(sizeOf(frame))),
      age))
  const element = build('li', { className: frame.sent ? 'frame-sent' : 'frame-received' }, details)

  function unfold () {
    if (!details.open || details.children.length > 1) return
    details.append(build('pre', { tabIndex: 0 }, jsonOf(frame, 2)))
    const positions = positionsIn(frame, frames)
    if (positions.length === 0) return
    const label = positions.length === 1 ? 'Show the message' : `Show the newest of ${positions.length} messages`
    details.append(button(label, () => onMessage(messageIn(frame).room, positions.at(-1))))
  }

  return {
    element,
    showAge,
    showDelivery () {
      if (shownDelivery === frame.delivery) return
      element.dataset.delivery = shownDelivery = frame.delivery
      delivery.textContent = deliveries[frame.delivery]
    }
  }
}

function ageOf ({ at }) {
  const seconds = Math.max(0, Math.floor((Date.now() - at) / 1_000))
  if (seconds < 60) return `${seconds} s`
  return seconds < 3_600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3_600)} h`
}

function formatSize (bytes) {
  return bytes < 1_024 ? `${bytes} B` : `${(bytes / 1_024).toFixed(1)} KiB`
}
