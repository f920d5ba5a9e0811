import type { EmitClientEvent } from './client-events.ts'
import type { PendingRequest, RoomState } from './requests/pending-request.ts'
import type { JoinedRoom, RequestQueue } from './requests/request-queue.ts'
import type { Sender } from './room-events.ts'
import type { SavedPost } from './saved-post.ts'

/** The posts that a client saves: the result of `indexedDBPosts()`, or of `savedPosts()` for another store. */
export interface SavedPosts {
  /** Returns the saved posts of all rooms and members, in the order in which they were first added. */
  list (): readonly SavedPost[] | Promise<readonly SavedPost[]>
  /** Called once, by the client. */
  open (client: SavingClient): PostSaver
}

/** The client whose posts are saved. */
export interface SavingClient {
  readonly queue: RequestQueue
  readonly server: { readonly sender: Sender | null, readonly joinedRooms: ReadonlyMap<string, JoinedRoom> }
  readonly emit: EmitClientEvent
  /** Sends the requests that need not wait. */
  flush (): void
}

/** Saves the posts of a client, and restores those of earlier clients. */
export interface PostSaver {
  /** Saves a post, or replaces it. @param room its state if it is joined: the post may be sent before it is saved */
  save (request: PendingRequest, room?: RoomState): unknown
  /** Called when a request is acknowledged or rejected. */
  remove (request: PendingRequest): void
  /** Restores the saved posts of a joined room. Its requests wait meanwhile, to keep the order. */
  restore (room: string): void
  /**
   * Returns whether a request has to wait. A post that was saved without `since` waits until it is saved with `since`. Otherwise, a
   * later client couldn't know that the post was sent.
   */
  holds (request: PendingRequest, room: RoomState): boolean
  /** Called when the client is closed. The posts stay saved. */
  end (): void
}
