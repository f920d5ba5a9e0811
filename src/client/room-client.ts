import type { PageRequests } from './page-requests.ts'
import type { PendingRequests } from './pending-requests.ts'
import type { ReadPositions } from './read-positions.ts'
import type { RemoteServer } from './remote-server.ts'

/** The client of a room. */
export interface RoomClient {
  readonly server: RemoteServer
  readonly requests: PendingRequests
  readonly pages: PageRequests
  readonly reads: ReadPositions
  readonly memberships: {
    /** Returns whether this object is the room that is joined on this connection. */
    isJoined (room: { readonly name: string }): boolean
    leave (name: string): void
  }
}
