// The frames that a link has carried: a bounded list, with the messages that each one is about.
import { listeners } from '../room/listeners.js'

const MAX_FRAMES = 300
const MAX_LENGTH = 4_000_000

/** Types of messages that have the position of the message that they are about. */
const aboutOneMessage = ['message', 'changed', 'ack', 'edit', 'delete', 'react']

/** Creates an empty list. The oldest frames leave it when it is full. */
export function frameList () {
  const changed = listeners()
  let frames = []
  let length = 0
  let next = 1

  return {
    get all () { return frames },

    /**
     * Adds a frame, or a note such as "connected". Returns it.
     * @param given for a frame: `sent` (true: to the server) and `data`; for a note: `note`
     */
    add (given) {
      const frame = { number: next++, at: Date.now(), delivery: 'passed', ...given }
      frames.push(frame)
      length += lengthOf(frame)
      while (frames.length > MAX_FRAMES || (length > MAX_LENGTH && frames.length > 1)) length -= lengthOf(frames.shift())
      changed.call()
      return frame
    },

    /** @param delivery `passed`, `held` (waits until packets pass again) or `lost` */
    setDelivery (frame, delivery) {
      if (frame.delivery === delivery) return
      frame.delivery = delivery
      changed.call()
    },

    clear () {
      frames = []
      length = 0
      changed.call()
    },

    /** Adds a listener, which is called after each change. Returns an unsubscribe function. */
    subscribe: changed.add
  }
}

/** Returns the message of a frame; an empty object for a note and for anything that isn't JSON. */
export function messageIn (frame) {
  // Parsed when it is needed first: a busy room has many frames that are never shown.
  frame.message ??= parse(frame.data)
  return frame.message
}

/** Returns the size of a frame's payload in bytes. */
export function sizeOf ({ data = '' }) {
  return typeof data === 'string' ? new TextEncoder().encode(data).length : data.byteLength
}

/** Returns the positions of the messages that a frame is about. The position of a post is known from its acknowledgement. */
export function positionsIn (frame, frames) {
  const { type, id, position, messages = [], changes = [] } = messageIn(frame)
  if (type === 'joined' || type === 'history') return [...messages, ...changes].map((message) => message.position)
  if (aboutOneMessage.includes(type)) return [position]
  if (type !== 'post') return []
  return frames.filter((other) => !other.sent && isAnswer(other, id)).map((other) => messageIn(other).position)
}

/** Returns the frames that are about a message, oldest first. */
export function framesAbout (position, frames) {
  return frames.filter((frame) => positionsIn(frame, frames).includes(position))
}

function isAnswer (frame, id) {
  const message = messageIn(frame)
  return message.type === 'ack' && message.id === id
}

function lengthOf ({ data = '' }) {
  return data.length ?? data.byteLength
}

function parse (data) {
  try {
    return Object(JSON.parse(data))
  } catch {
    return {}
  }
}
