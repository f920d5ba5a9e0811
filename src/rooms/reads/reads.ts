import type { ReadCursor } from '../../drivers/read-position.ts'
import type { ReadPosition } from '../../store.ts'

/** A connection that receives the moves of a member's read positions. */
export interface ReadDevice {
  /** Called when the read position in a room has moved, but not by this connection. */
  reportRead (room: string): void
  /** Called when the read position in a room has moved to a message of the member. @param offset of the message */
  reportPosted (room: string, offset: number): void
  /** Called when the read position in a room was removed, but not by this connection. */
  reportForgotten (room: string): void
}

/** The read positions of a member. A position never moves back. */
export interface Reads {
  /**
   * Called when a connection begins to join a room. Resolves when the read position is known; undefined if it is known already. Rejects as the
   * store does. `release` MUST be called once for each call.
   * @param isNeeded `false` for a connection that receives no read positions
   */
  use (room: string, isNeeded: boolean): Promise<void> | undefined
  /** Called when a connection has left a room, or could not join it. */
  release (room: string): void
  /** Returns the newest known read position in a room that is in use; undefined if there is none. */
  of (room: string): ReadCursor | undefined
  /** Moves the read position in a room. Ignores a cursor that isn't later. @param by the connection that moves it, which isn't notified */
  mark (room: string, cursor: ReadCursor, by: ReadDevice): void
  /** Moves the read position in a room to a message of the member. The connections receive the message itself. */
  posted (room: string, cursor: ReadCursor): void
  /** Resolves with all read positions, in the order of the room names. Rejects as the store does. */
  list (): Promise<readonly ReadPosition[]>
  /**
   * Removes the read position in a room, but not one that is marked on another node meanwhile. Rejects as the store does.
   * @param by the connection that removes it, which isn't notified
   */
  forget (room: string, by?: ReadDevice): Promise<void>
  /** Calls the listener when the read position in a room is removed. Returns an unsubscribe function. */
  onForget (listener: (room: string) => void): () => void
}
