/** Bytes of JSON for a byte of content: a plain client may send control characters, which are escaped as `\u0001`. */
const ESCAPED = 6

/** Bytes of memory for a byte of content: V8 stores a string with a character above U+00FF in two bytes a character. */
const KEPT = 2

/** Bytes of memory for a byte that is received: each read or fragment that is kept is a buffer with its own overhead. */
const RECEIVED = 2

/** Bytes around the content: property names, room, position, time, and the sender's id and name. */
const ENVELOPE = 2_048

/**
 * Returns the maximum bytes of a client's message in a frame to members.
 * @param payload bytes of the message as received
 */
export function framedBytes (payload: number): number {
  return payload * ESCAPED + ENVELOPE
}

/**
 * Estimates the bytes of memory of an incomplete message. Assumes reads of any size, and fragments of at least 256 bytes.
 * @param payload bytes of the message as received
 */
export function receivedBytes (payload: number): number {
  return payload * RECEIVED + ENVELOPE
}

/** Minimum average bytes of a fragment. A fragment that is kept takes more memory than its bytes. */
const FRAGMENT = 64

/** Maximum frames of one message if the limit of its bytes is low. */
const FEW_FRAGMENTS = 256

/**
 * Returns the maximum frames of one message.
 * @param payload maximum bytes of one message
 */
export function maxFragments (payload: number): number {
  return Math.min(Math.max(FEW_FRAGMENTS, Math.ceil(payload / FRAGMENT)), 2 ** 31 - 1)
}

/** Returns the bytes, as received, of the largest message that certainly fits into these bytes of a store. */
export function largestPayload (bytes: number): number {
  return Math.max(0, Math.floor((bytes - ENVELOPE) / KEPT))
}
