// The size of a message. The server bounds the bytes of a whole request.
import { setText } from '../dom.js'

/** Bytes of a request beside the text: its type, the names of the room and of the request, the position of the last message. */
const REST = 400
const SHOWN_BELOW = 500
const encoder = new window.TextEncoder()

/** Returns a function that shows how many bytes are left, and returns whether the text fits. @param payload bytes of a request */
export function sizeCheck (field, element, payload) {
  return function fits () {
    const { value } = field
    const left = payload - REST - (value.length * 6 + REST < payload - SHOWN_BELOW ? 0 : encoder.encode(JSON.stringify(value)).length)
    setText(element, left < 0 ? `${-left} bytes too long` : left < SHOWN_BELOW ? `${left} bytes left` : '')
    element.classList.toggle('too-long', left < 0)
    return left >= 0
  }
}
