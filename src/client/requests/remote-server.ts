import { bytesOf } from './frame-size.ts'
import { unsupported, type ChatError } from '../error.ts'
import { rateLimiter } from './rate-limiter.ts'
import type { JoinedRoom } from './request-queue.ts'
import type { Of, Sender } from '../room-events.ts'

export type RemoteServer = ReturnType<typeof remoteServer>

/**
 * Returns the server, as the parts of a client use it.
 * @param send returns whether the message was passed to the socket: not while the client is offline
 */
export function remoteServer (send: (json: string) => boolean) {
  let welcome: Of<'welcome'> | undefined
  let ended: ChatError | undefined
  const limiter = rateLimiter()

  /** Returns whether the server has a feature; false before the first connection. */
  function supports (feature: string): boolean { return welcome?.features?.includes(feature) === true }

  return {
    send,
    limiter,
    /** The rooms that are joined on this connection, by name. */
    joinedRooms: new Map<string, JoinedRoom>(),
    /** The member and the limits of this client, and the features of the server; undefined before the first connection. */
    get welcome (): Of<'welcome'> | undefined { return welcome },
    /** This client's member as a sender; null before the first connection. */
    get sender (): Sender | null { return welcome === undefined ? null : { id: welcome.member.id, name: welcome.member.name } },
    /** Why the client was closed permanently. */
    get ended (): ChatError | undefined { return ended },
    /** Returns whether this client's member is the sender. */
    isOwn (from: Sender | null): boolean { return from !== null && from.id === welcome?.member.id },
    /** Largest message that the server accepts, in bytes. */
    get payload (): number { return welcome?.limits.payload ?? Infinity },
    supports,
    /** @throws ChatError with `unsupported` if the server doesn't have the feature; not before the first connection */
    assertSupports (feature: string): void { if (welcome !== undefined && !supports(feature)) throw unsupported(feature) },
    /** Returns 0 if the message was sent, else the ms after which to try again; Infinity while the client is offline. */
    sendNow (json: string): number {
      return limiter.take(bytesOf(json)) || (send(json) ? 0 : Infinity)
    },
    /** Called on each connection. */
    onWelcome (next: Of<'welcome'>): void {
      welcome = next
      limiter.reset(next.limits)
    },
    /** Called when the client is closed permanently. */
    end (error: ChatError): void {
      ended = error
      limiter.clear()
    }
  }
}
