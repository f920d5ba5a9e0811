/** JSON escapes a control character, of which a plain client may send any, as `\u0001`: six bytes for one. */
const ESCAPED = 6

/** V8 keeps a text with one character beyond Latin-1 in two bytes for each. */
const KEPT = 2

/** A message in small packets is held as a buffer for each: their heads come on top. */
const PIECES = 2

/** Bytes around the content: the names of the properties, room, position, time, and the sender's id and name. */
const ENVELOPE = 2_048

/** The most bytes that a message of a client takes in a frame to others. @param payload bytes of the message as it came */
export function framedBytes (payload: number): number {
  return payload * ESCAPED + ENVELOPE
}

/** Bytes that a message of a client takes until it is handled, in packets of half a kilobyte. @param payload bytes of the message */
export function receivedBytes (payload: number): number {
  return payload * PIECES + ENVELOPE
}

/** The most bytes that a message of a client takes in memory. @param payload bytes of the message as it came */
export function keptBytes (payload: number): number {
  return payload * KEPT + ENVELOPE
}
