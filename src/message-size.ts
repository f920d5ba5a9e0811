/** Bytes of JSON for a byte of content: a plain client may send control characters, which are escaped as `\u0001`. */
const ESCAPED = 6

/** Bytes of memory for a byte of content: V8 stores a string with a character above U+00FF in two bytes a character. */
const KEPT = 2

/** Bytes of memory for a byte that is received in small packets: each packet is a buffer with its own overhead. */
const PACKETS = 2

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
 * Estimates the bytes of memory of a queued message. Assumes packets of 512 bytes.
 * @param payload bytes of the message as received
 */
export function receivedBytes (payload: number): number {
  return payload * PACKETS + ENVELOPE
}

/** Returns the bytes, as received, of the largest message that certainly fits into these bytes of a store. */
export function largestPayload (bytes: number): number {
  return Math.max(0, Math.floor((bytes - ENVELOPE) / KEPT))
}
