import type { EmitClientEvent } from './client-events.ts'
import type { ChatError } from './error.ts'
import { memberships } from './room/memberships.ts'
import type { Settings } from './options.ts'
import { pageRequests } from './requests/page-requests.ts'
import { pendingRequests } from './requests/pending-requests.ts'
import { readPositions } from './room/read-positions.ts'
import { remoteServer } from './requests/remote-server.ts'
import type { Of } from './room-events.ts'
import { receiver } from './server-messages.ts'

/**
 * Returns what a client does on all its connections: the parts that handle the requests of the app and the messages of the server.
 * @param send returns whether the message was passed to the socket
 */
export function clientCore (settings: Settings, send: (json: string) => boolean, emit: EmitClientEvent) {
  const server = remoteServer(send)
  const pages = pageRequests(server, settings.backoff())
  const reads = readPositions(server, pages.rooms, settings.backoff)
  const requests = pendingRequests({ settings, server, emit })
  const rooms = memberships({ server, pages, reads, requests }, settings.backoff)

  return {
    server,
    reads,
    memberships: rooms,
    onMessage: receiver({ memberships: rooms, requests, pages, reads }, emit),

    onWelcome (welcome: Of<'welcome'>): void {
      const isOther = server.welcome !== undefined && !server.isOwn(welcome.member)
      server.onWelcome(welcome)
      requests.onConnect(isOther)
      pages.onConnect()
      rooms.onConnect(welcome.limits.rooms)
    },

    onDisconnect (): void {
      server.limiter.clear()
      rooms.onDisconnect()
      pages.onDisconnect()
      requests.onDisconnect()
    },

    /** Called when the client is closed permanently. @param own whether by `close()` */
    end (error: ChatError, own: boolean): void {
      server.end(error)
      requests.end(error)
      pages.end(error)
      rooms.end(error, own)
    }
  }
}
