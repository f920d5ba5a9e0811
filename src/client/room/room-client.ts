import type { PageRequests } from '../requests/page-requests.ts'
import type { PendingRequests } from '../requests/pending-requests.ts'
import type { ReadPositions } from './read-positions.ts'
import type { RemoteServer } from '../requests/remote-server.ts'

/** The client of a room. */
export interface RoomClient {
  readonly server: RemoteServer
  readonly requests: PendingRequests
  readonly pages: PageRequests
  readonly reads: ReadPositions
  /** Leaves a room. */
  leave (name: string): void
}
