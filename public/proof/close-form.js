// Closes a WebSocket in different ways.
import { build, button } from '../dom.js'
import { meaningOf } from './close-codes.js'

/** @param onClose called with a code and a reason @param onBreak ends it without a close frame @param onTooMuch sends more than a server accepts */
export function closeForm ({ onClose, onBreak, onTooMuch }) {
  // A page may send 1000, and codes from 3000 to 4999. Other codes are sent by servers, or report that no code was received.
  const code = build('input', { type: 'number', value: 1000, min: 1000, max: 4999, required: true, oninput: showMeaning })
  // A close frame has room for 123 bytes.
  const reason = build('input', { maxLength: 40, autocomplete: 'off' })
  const meaning = build('p', { className: 'hint' })

  function showMeaning () {
    const isAllowed = code.valueAsNumber === 1000 || (code.valueAsNumber >= 3000 && code.valueAsNumber <= 4999)
    code.setCustomValidity(isAllowed ? '' : 'A page may only send 1000, and 3000 to 4999.')
    meaning.textContent = isAllowed ? `${code.value}: ${meaningOf(code.valueAsNumber)}` : code.validationMessage
  }

  showMeaning()
  return build('details', { className: 'closing' },
    build('summary', {}, 'Close the connection'),
    build('form', {
      className: 'fields',
      onsubmit (event) {
        event.preventDefault()
        onClose(code.valueAsNumber, reason.value)
      }
    },
    build('label', { className: 'close-code' }, 'Code', code),
    build('label', {}, 'Reason', reason),
    build('button', {}, 'Close')),
    meaning,
    build('div', { className: 'buttons' },
      button('End without a close frame', onBreak, { title: 'The page reports code 1006' }),
      button('Send an oversized message', onTooMuch, { title: 'The server closes with code 1009' })))
}
