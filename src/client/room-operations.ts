import type { Direction, HistoryRequests } from './history-requests.ts'
import type { PendingRequests } from './pending-requests.ts'
import type { ReadPositions } from './read-positions.ts'
import type { RequestQueue } from './request-queue.ts'
import type { HistoryPage, Sender } from './room-events.ts'
import type { Signals } from './signals.ts'

/** The parts of a client that handle the requests of its rooms. */
export interface RoomServices {
  readonly requests: PendingRequests
  readonly queue: RequestQueue
  readonly history: HistoryRequests
  readonly signals: Signals
  readonly reads: ReadPositions
}

/** What a room delegates to its client. */
export interface RoomOperations extends Omit<RoomServices, 'history'> {
  /** Requests a page of the history of the room. */
  history (position: string, limit: number, direction?: Direction): Promise<HistoryPage>
  /** Returns whether the room is joined on this connection. */
  isJoined (): boolean
  /** Returns this client's member; null before the first connection. */
  member (): Sender | null
  /** Returns whether the server has pages of history after a position. */
  canLoadNewer (): boolean
  leave (): void
}
