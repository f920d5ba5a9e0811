import type { ClientTypes, DataOf, MemberDataOf } from './app-data.ts'
import type { ChatError } from './error.ts'
import type { Direct } from './room-events.ts'
import type { RestoredPost } from './saved-post.ts'
import type { Status } from './status.ts'

export interface ChatClientEvents<Types extends ClientTypes = ClientTypes> {
  status: Status<MemberDataOf<Types>>
  /**
   * An error from the server that rejects no promise, or the first error of `savedPosts`. Its code is `handshake` if the server refuses the
   * client, or its answer isn't that of a chat: emitted once, until the client is online again.
   */
  error: ChatError
  /** A saved post of an earlier client waits for acknowledgement, because its room was joined. Emitted once for each post. */
  restored: RestoredPost<DataOf<Types>>
  /** Data that the app has sent to this member. Not delivered later if the client is offline. */
  direct: Direct
}

/** Emits an event of the client. */
export type EmitClientEvent = <Name extends keyof ChatClientEvents>(name: Name, event: ChatClientEvents[Name]) => void
