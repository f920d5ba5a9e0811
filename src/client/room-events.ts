import type { ServerMessage } from '../protocol.ts'
import type { Change, ClientTypes, DataOf, MemberDataOf, Message, Retyped } from './app-data.ts'
import type { ChatError } from './error.ts'

/** The server message of a type. */
export type Of<Type extends ServerMessage['type']> = Extract<ServerMessage, { type: Type }>
/** A server message that a joined room receives. */
export type RoomMessage = Of<'joined' | 'message' | 'changed' | 'presence' | 'typing' | 'signal'>
/** The answer to a join. */
export type Joined<Types extends ClientTypes = ClientTypes> = Retyped<Of<'joined'>, {
  members: Array<Member<MemberDataOf<Types>>>
  messages: Array<Message<DataOf<Types>>>
  changes: Array<Change<DataOf<Types>>>
}>
/** A member. id: the same for all connections of the member. name: empty if the member has none. data: from the app. */
export type Member<Data = unknown> = Retyped<Of<'joined'>['members'][number], { data: Data }>
/** The member that has sent something, without its data. */
export type Sender = Of<'signal'>['from']
/** What the app has sent to this member. */
export type Direct = Pick<Of<'direct'>, 'data'>
/** A change of a message, as the server sends it. */
export type Changed<Data = unknown> = Retyped<Of<'changed'>, { data: Data }>
/** The read position of the member in a room, and the number of messages after it. undefined: the member has none. */
export interface ReadPosition { readonly position: string | undefined, readonly unread: number | undefined }
/** A room in which the member has a read position. position: the read position. last: the newest message of the room. */
export type UnreadRoom<Data = unknown> = Retyped<Of<'rooms'>['rooms'][number], { last: Message<Data> }>
/** A page of messages, oldest first. more: older messages exist. complete: false if the server no longer knows the position. */
export type HistoryPage<Data = unknown> = Retyped<Pick<Of<'history'>, 'messages' | 'more' | 'complete'>, { messages: Array<Message<Data>> }>

/** The events of a room. */
export interface RoomEvents<Types extends ClientTypes = ClientTypes> {
  /**
   * Emitted when the room is joined. Emitted again, with `again: true`, after each reconnect and when the server has lost the
   * room's history. If `complete` is true, `messages` contains the missed messages, or the first of them: `message` events
   * deliver the rest. If `complete` is false, `messages` contains the newest messages. Discard earlier messages then, because
   * there may be a gap. `changes` contains the missed changes of earlier messages, or the first of them: `changed` events deliver
   * the rest. If `oldest` is present and you have the message at this position, discard the messages before it: the server no
   * longer keeps them, and some of them had changed. If too many events arrived before the first listener, `complete` is false and
   * `messages` is empty.
   */
  joined: Joined<Types> & { readonly again: boolean }
  /** Emitted with each new message. `streaming: true`: its text has begun, and `changed` events add the rest. */
  message: Message<DataOf<Types>>
  /** Emitted when a message has changed, or its text has grown. `applyChange` applies it. */
  changed: Changed<DataOf<Types>>
  /**
   * Emitted after the update of `room.members` and `room.count`, when members joined or left, or the name or the data of a member
   * has changed.
   */
  presence: Retyped<Pick<Of<'presence'>, 'joined' | 'left' | 'count' | 'stale'>, {
    joined: Array<Member<MemberDataOf<Types>>>
    left: Array<Member<MemberDataOf<Types>>>
  }>
  /** Emitted while a member is typing, and with `on: false` when it has stopped. A connection that is lost reports no stop. */
  typing: Sender & { readonly on: boolean }
  /** Emitted with each signal of a member. */
  signal: Pick<Of<'signal'>, 'from' | 'data'>
  /**
   * Emitted when `room.readPosition` and `room.unread` have changed for another reason than a `message` or a `joined`: by
   * `room.markRead()`, on another device, or by `client.forget()`.
   */
  readPosition: ReadPosition
  /**
   * Emitted last, with the reason, when the server ends the membership. The code is `removed` if the app has removed the member,
   * with its reason as `message`; `forbidden` if the member may no longer join; `closed` if the server closed the client. Not emitted
   * after `leave()` and `close()`.
   */
  left: ChatError
}
