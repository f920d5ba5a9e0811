import type { Member } from './room-events.ts'

/** The state of the client's connection. */
export type Status<MemberData = unknown> =
  | { readonly state: 'connecting' }
  /** member: this client's member, as the server names it. session: a secret that keeps the member's id in a later client */
  | { readonly state: 'online', readonly member: Member<MemberData>, readonly session: string }
  /**
   * retryIn: ms until the next attempt. code: the close code; 1006 if none was received. reason: of the close, or the browser's event
   * that made the client wait: `offline`, `pagehide`, or `online` after `offline`
   */
  | { readonly state: 'waiting', readonly retryIn: number, readonly code: number, readonly reason: string }
  /**
   * Final, after `close()` or a terminal close code. The code is also 4400 when the server answered `hello` with an error, for
   * example because of the name or the session.
   */
  | { readonly state: 'closed', readonly code: number, readonly reason: string }
