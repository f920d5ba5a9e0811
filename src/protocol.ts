/** Close codes, and what each tells a client to do. RFC 6455, section 7.4; 4400 and up are ours. */
export const CloseCode = {
  /** done: nothing to say */
  normal: 1000,
  /** the server is stopping or the page was left: come back later */
  goingAway: 1001,
  /** a frame that RFC 6455 doesn't allow */
  protocol: 1002,
  /** a text frame that isn't UTF-8 */
  notText: 1007,
  /** a rule was broken, or too much was asked: don't come back */
  policy: 1008,
  /** a message was larger than the route takes: don't come back */
  tooBig: 1009,
  /** the app's code failed on this connection */
  internal: 1011,
  /** the server can't take it now: come back, with backoff */
  tryAgainLater: 1013
} as const

/** What a room may be called. */
export const roomName = /^[A-Za-z0-9._:-]{1,64}$/

const MAX_NAME = 32
/** Control, format (bidi and zero-width among them), surrogate, private-use, line and paragraph separators. */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u

/** A name as everybody will see it (NFKC, single spaces), or undefined if it isn't one to show. */
export function normalizeName (given: string): string | undefined {
  const name = given.normalize('NFKC').replace(/ +/g, ' ').trim()
  return name !== '' && [...name].length <= MAX_NAME && !unseen.test(name) ? name : undefined
}
