import { loneSurrogate } from '../protocol.ts'
import { Deferred } from './deferred.ts'
import { ChatError } from './error.ts'

/** Bytes that `since` adds to a repeated post. */
const SINCE = 140

/** A post that waits for its acknowledgement. */
export class PendingPost {
  readonly id = randomId()
  readonly room: string
  readonly stored = new Deferred<string>()
  /** Approximate size of a repeat, which includes `since`. */
  readonly bytes: number
  /** The room's position when the post was first sent. The server needs it to decide whether it can still detect a repeat. */
  since: string | undefined
  /** Whether the post was sent on this connection and is not answered yet. */
  inFlight = false
  /** Serialized once, so that a repeat is identical even if the app has changed its objects. */
  readonly #json: string

  /** @throws TypeError if `data` can't be serialized as JSON, ChatError if the text or the data is invalid */
  constructor (room: string, text: string, data: unknown) {
    this.room = room
    this.#json = JSON.stringify({ type: 'post', room, id: this.id, text, data })
    // Checked here: the server closes a connection after ten invalid frames.
    if (typeof text !== 'string') throw new ChatError('invalid', 'text must be a string')
    if (loneSurrogate.test(this.#json)) throw new ChatError('invalid', 'text or data contains a lone surrogate')
    this.bytes = bytesOf(this.#json) + SINCE
  }

  /**
   * Returns the frame to send.
   * @param position the room's current position
   * @throws ChatError if the frame is larger than `payload` bytes
   */
  encode (position: string, payload: number): string {
    const repeat = `${this.#json.slice(0, -1)},"since":${JSON.stringify(this.since ?? position)}}`
    // Measured with `since`, because a post that fits only without it couldn't be repeated.
    if (repeat.length * 3 > payload && bytesOf(repeat) > payload) {
      throw new ChatError('too_large', `the message is larger than the ${payload} bytes that the server accepts`)
    }
    return this.since === undefined ? this.#json : repeat
  }
}

function bytesOf (text: string): number { return new TextEncoder().encode(text).length }

/** Not crypto.randomUUID, which is missing on pages loaded over plain HTTP. */
function randomId (): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
