import type { RequestedChange } from './pending-request.ts'
import type { HistoryPage } from './room-events.ts'
import type { RoomReads } from './room-reads.ts'

/** The operations that a room delegates to its client. */
export interface RoomOperations {
  readonly reads: RoomReads
  post (text: string, data: unknown): Promise<string>
  change (change: RequestedChange): Promise<void>
  history (before: string, limit: number): Promise<HistoryPage>
  typing (on: boolean): void
  signal (data: unknown): boolean
  leave (): void
}
