import { bytesOf } from './frame-size.ts'
import { rateLimiter } from './rate-limiter.ts'
import type { Of, Sender } from '../room-events.ts'

export type RemoteServer = ReturnType<typeof remoteServer>

/**
 * Returns the server, as the parts of a client use it.
 * @param send returns whether the message was passed to the socket: not while the client is offline
 */
export function remoteServer (send: (json: string) => boolean) {
  let welcome: Of<'welcome'> | undefined
  let sender: Sender | null = null
  const limiter = rateLimiter()
  return {
    send,
    limiter,
    /** The member and the limits of this client, and the features of the server; undefined before the first connection. */
    get welcome (): Of<'welcome'> | undefined { return welcome },
    /** This client's member as a sender; null before the first connection. */
    get sender (): Sender | null { return sender },
    /** Largest message that the server accepts, in bytes. */
    get payload (): number { return welcome?.limits.payload ?? Infinity },
    /** Returns whether the server has a feature; undefined before the first connection. */
    supports (feature: string): boolean | undefined { return welcome && welcome.features?.includes(feature) === true },
    /** Returns 0 if the message was sent, else the ms after which to try again; Infinity while the client is offline. */
    sendNow (json: string): number {
      return limiter.take(bytesOf(json)) || (send(json) ? 0 : Infinity)
    },
    /** Called on each connection. */
    onWelcome (next: Of<'welcome'>): void {
      welcome = next
      sender = { id: next.member.id, name: next.member.name }
      limiter.reset(next.limits)
    }
  }
}
