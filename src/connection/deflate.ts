import { constants, deflateRawSync } from 'node:zlib'
import { frame, opcodeOf, type Payload } from './frame.ts'

/** Bytes of a message that are worth deflating, and that don't hold up the event loop. */
const LEAST = 256
const MOST = 64 * 1024

/** Level 1: 21 µs for 512 bytes; the others cost more than they save on messages of this size. */
const OPTIONS = { level: 1, finishFlush: constants.Z_SYNC_FLUSH }

/** What a flush leaves at the end, and the receiver puts back. RFC 7692, section 7.2.1. */
const TAIL = 4

/** How `permessage-deflate` is negotiated: each message for itself, so that no connection keeps a window. */
export const perMessageDeflate = { serverNoContextTakeover: true, clientNoContextTakeover: true } as const

/**
 * Whether frames deflated with the full window may be sent to a client that offered these extensions. One that asked for
 * a smaller window can't inflate them; a message that isn't deflated is always allowed. RFC 7692, sections 6 and 7.1.2.1.
 * @param extensions the `Sec-WebSocket-Extensions` header of its request
 */
export function takesFullWindow (extensions = ''): boolean {
  return !/server_max_window_bits(?!\s*=\s*"?15\b)/.test(extensions)
}

/** A message's frame, deflated where that is worth it; at once, so that there is no order to lose. */
export function deflatedFrame (payload: Payload): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
  if (bytes.length < LEAST || bytes.length > MOST) return frame(payload)
  const deflated = deflateRawSync(bytes, OPTIONS).subarray(0, -TAIL)
  return deflated.length < bytes.length ? frame(deflated, opcodeOf(payload), true) : frame(payload)
}
