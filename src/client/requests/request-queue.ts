import type { Deferred } from '../deferred.ts'
import type { PendingRequest, Post, RoomState } from './pending-request.ts'

/** The posts and changes that wait for acknowledgement, by id, oldest first. */
export type RequestQueue = Map<string, PendingRequest>

/** A post that waits for its acknowledgement. */
export interface WaitingPost { readonly post: Post, readonly text: string, readonly data?: unknown }

/** A room that is joined on this connection. */
export interface JoinedRoom extends RoomState {
  readonly name: string
  /** Called with each post that waits for acknowledgement: of this room, and of earlier clients. */
  onPost (post: WaitingPost): void
}

/** Returns the posts of a room that wait. */
export function waitingPosts (queue: RequestQueue, room: string): WaitingPost[] {
  return [...queue.values()].filter((request) => request.room === room && request.target === undefined)
    .map(({ json, outcome }) => ({ ...JSON.parse(json) as WaitingPost, post: (outcome as Deferred<string>).promise as Post }))
}
