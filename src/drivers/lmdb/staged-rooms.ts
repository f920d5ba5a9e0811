import type { LmdbLog } from './log.ts'

/** Operations on the rooms. Their state is that after the next commit. */
export interface StagedRooms {
  log (room: string): LmdbLog
  /** Adds the changes of a log to the next commit. */
  stage (log: LmdbLog): void
  /** Removes the head of a room without records. */
  forget (log: LmdbLog): void
}
