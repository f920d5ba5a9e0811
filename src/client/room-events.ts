import type { Message } from '../messages.ts'
import type { ServerMessage } from '../protocol.ts'
import type { ChatError } from './error.ts'

/** The server message of a type. */
export type Of<Type extends ServerMessage['type']> = Extract<ServerMessage, { type: Type }>
/** The answer to a join. */
export type Joined = Of<'joined'>
/** A member. id: the same for all connections of the member. name: empty if the member has none. */
export type Member = Joined['members'][number]
/** A change of a message, as the server sends it. */
export type Changed = Of<'changed'>
/** A page of messages, oldest first. more: older messages exist. complete: false if the server no longer knows the position. */
export type HistoryPage = Pick<Of<'history'>, 'messages' | 'more' | 'complete'>

/** The events of a room. */
export interface RoomEvents {
  /**
   * Emitted when the room is joined. Emitted again, with `again: true`, after each reconnect and when the server has lost the
   * room's history. If `complete` is true, `messages` contains the missed messages, or the first of them: `message` events
   * deliver the rest. If `complete` is false, `messages` contains the newest messages. Discard earlier messages then, because
   * there may be a gap. `changes` contains the missed changes of earlier messages, or the first of them: `changed` events deliver
   * the rest. If `oldest` is present and you have the message at this position, discard the messages before it: the server no
   * longer keeps them, and some of them had changed. If too many events arrived before the first listener, `complete` is false and
   * `messages` is empty.
   */
  joined: Joined & { readonly again: boolean }
  /** Emitted with each new message. `streaming: true`: its text has begun, and `changed` events add the rest. */
  message: Message
  /** Emitted when a message has changed, or its text has grown. `applyChange` applies it. */
  changed: Changed
  /** Emitted when members joined or left, after the update of `room.members` and `room.count`. */
  presence: Pick<Of<'presence'>, 'joined' | 'left' | 'count' | 'stale'>
  typing: Member
  /**
   * Emitted last, with the reason, when the server ends the membership. The code is `closed` if the server closed the client. Not
   * emitted after `leave()` and `close()`.
   */
  left: ChatError
}
