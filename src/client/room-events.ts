import type { Message } from '../messages.ts'
import type { ServerMessage } from '../protocol.ts'
import type { ChatError } from './error.ts'

/** The server message of a type. */
export type Of<Type extends ServerMessage['type']> = Extract<ServerMessage, { type: Type }>
/** The answer to a join. */
export type Joined = Of<'joined'>
/** id: the same for all connections of a member. name: empty if the member has none. */
export type Member = Joined['members'][number]
/** messages: oldest first. more: older ones exist. complete: false if the server no longer knows the position. */
export type HistoryPage = Pick<Of<'history'>, 'messages' | 'more' | 'complete'>

/** The events of a room. */
export interface RoomEvents {
  /**
   * Emitted when the room is joined, and again (`again`) after each reconnect or when the server has lost the room's history.
   * If `complete` is true, `messages` are those missed, or the first part of them: `message` events deliver the rest.
   * Otherwise `messages` are the newest ones; discard the earlier ones, because there may be a gap. If too many events
   * arrived before the first listener, `complete` is false and `messages` is empty.
   */
  joined: Joined & { readonly again: boolean }
  message: Message
  /** Emitted when members joined or left, after the update of `room.members` and `room.count`. */
  presence: Pick<Of<'presence'>, 'joined' | 'left' | 'count' | 'stale'>
  typing: Member
  /**
   * Emitted last, when the server ends the membership, with the reason; `closed` if the server closed the client. Not emitted
   * after `leave()` and `close()`.
   */
  left: ChatError
}
