/** Matches a valid room name. Its source is the pattern of room names in the schemas. */
export const roomName = /^[A-Za-z0-9._:-]{1,64}$/

/** Maximum code points of a member's name, as sent and as normalised. */
export const MAX_NAME = 128

/** Maximum number of messages that a client may request at once. */
export const MAX_MESSAGES = 1_000

/**
 * Number of requests that a `history`, a `rooms` or a `delete` counts as. For `history` and `rooms`, the server reads a page from the
 * store and sends it. For `delete`, a store may have to rewrite as much.
 */
export const PAGE_COST = 4

/** Maximum code points of a reaction. */
export const MAX_REACTION = 64

/** Matches a valid reaction. Its source is the pattern of reactions in the schemas. */
export const reactionText = new RegExp(`^[^\\p{Cc}\\p{Cs}]{1,${MAX_REACTION}}$`, 'u')

/** Maximum number of different reactions of one entry. */
export const MAX_REACTIONS = 20

/** Maximum number of reactions of all members together on one entry. */
export const MAX_REACTION_PAIRS = 1_000

/** Maximum bytes of a streamed text, as UTF-8. */
export const MAX_STREAM_BYTES = 65_536

/** Returns whether a text has more code points than the limit. Counts them only where the number of code units doesn't decide. */
export function hasMoreCodePoints (text: string, limit: number): boolean {
  return text.length > limit && (text.length > 2 * limit || [...text].length > limit)
}
