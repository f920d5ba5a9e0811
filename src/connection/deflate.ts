import { constants, deflateRawSync } from 'node:zlib'
import { frame, frames, opcodeOf } from './frame.ts'
import type { Framing, Payload } from './writer.ts'

/** Shorter messages aren't deflated: it would save too little. Bytes. */
const MIN_LENGTH = 256
/** Longer messages aren't deflated: it would block the event loop for too long. Bytes. */
const MAX_LENGTH = 64 * 1024

/** Level 1 takes 21 µs for 512 bytes. Higher levels cost more than they save on messages of this size. */
const OPTIONS = { level: 1, finishFlush: constants.Z_SYNC_FLUSH }

/** Length of the trailer that the sender removes and the receiver appends. RFC 7692, section 7.2.1. */
const TAIL = 4

/** Options of `permessage-deflate`. Messages are deflated independently, so that no connection keeps a window. */
export const perMessageDeflate = { serverNoContextTakeover: true, clientNoContextTakeover: true } as const

/**
 * Returns whether a client can inflate frames deflated with the full window. A client that requested a smaller window can't.
 * Frames that aren't deflated are always allowed. RFC 7692, sections 6 and 7.1.2.1.
 * @param offer the accepted offer
 */
export function takesFullWindow (offer = ''): boolean {
  return !/server_max_window_bits=(?!15)/.test(offer)
}

/** Frames messages for WebSocket clients that accept deflated ones. Signals aren't deflated, because they are short. */
export const deflatedFraming: Framing = (entries, signals) => {
  const deflated = entries.map(deflatedFrame)
  let end = 0
  const ends = deflated.map(({ length }) => { end += length; return end })
  return { bytes: Buffer.concat([...deflated, frames(signals).bytes]), ends }
}

/** Returns the frame of a message, deflated if that makes it smaller. Synchronous, to keep messages in order. */
function deflatedFrame (payload: Payload): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
  if (bytes.length < MIN_LENGTH || bytes.length > MAX_LENGTH) return frame(payload)
  const deflated = deflateRawSync(bytes, OPTIONS).subarray(0, -TAIL)
  return deflated.length < bytes.length ? frame(deflated, opcodeOf(payload), true) : frame(payload)
}
