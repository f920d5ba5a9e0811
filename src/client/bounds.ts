// This file imports nothing: esbuild inlines the constants of such a file, which makes a bundle smaller.

/** Maximum delay of a timer in ms. A timer with a longer delay fires immediately. */
export const LONGEST_TIMER = 2 ** 31 - 1

/** ms to wait for the answer to a close frame. */
export const CLOSE_TIMEOUT = 2_000

/** ms that a connection must last before the backoff is reset. */
export const STABLE = 10_000

/** Maximum exponent of a backoff. With a minimum delay of 0, an infinite factor would result in NaN. */
export const MAX_DOUBLINGS = 30

/** Minimum ms of a heartbeat interval that the server sends in `welcome`. */
export const MIN_HEARTBEAT = 1_000

/** Upper bound of the time that the answer to a ping may take, in ms. */
export const MAX_PING_TIMEOUT = 10_000

/** ms that the answer to a requested ping may take. */
export const PING_TIMEOUT = 2_000

/** Share of the server's token bucket that the client uses. The rest absorbs requests that the network delivers in one burst. */
export const BUCKET_SHARE = 0.5

/** Tokens of a bucket without a limit. Not Infinity, because Infinity * 0 is NaN. */
export const UNLIMITED = 2 ** 53

/** Bytes that `since` adds to a repeated request. */
export const SINCE_BYTES = 140

/** Default number of messages in a page of history. */
export const PAGE_SIZE = 50

/** Maximum changes that are kept for one page of history. With more, the page is requested again. */
export const MAX_PAGE_CHANGES = 1_000

/** Maximum events that are buffered for the first listener of a room. */
export const MAX_EVENTS = 1_000

/** Number of buffered messages at which an iteration ends with `overflow`. */
export const MAX_ITERATION = 10_000

/** Maximum number of streamed texts whose length is kept. Missing parts of older texts aren't detected. */
export const MAX_TEXTS = 1_000

/** Minimum ms between two reports that the user is typing in a room. */
export const TYPING_INTERVAL = 1_000

/** ms after which a member without a further report no longer counts as typing. The report of the end may be lost. */
export const TYPING_TIMEOUT = 6_000

/** Minimum ms between two marks of a room as read. */
export const MARK_INTERVAL = 1_000

/** Maximum number of messages of a room whose order is known. */
export const MAX_KNOWN = 1_000
