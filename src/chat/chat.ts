import { assertFunction, assertProperties } from '../argument-checks.ts'
import type { FastifyBaseLogger } from 'fastify'
import type { Connections } from '../connection/connections.ts'
import type { ChatEntry } from '../chat-entry.ts'
import { ChatChanges, type Edit, type MessagesOfMember, type ReactOptions } from './changes.ts'
import { contentLimit } from '../content.ts'
import { readHistory, type ChatPage, type HistoryQuery } from './history.ts'
import { inContext, type Hooks } from '../hooks.ts'
import { assertMemberId } from './member-id.ts'
import type { HookCalls } from '../rooms/peer/hook-calls.ts'
import type { Peers } from '../rooms/peer/peers.ts'
import { callOnPost } from '../rooms/peer/post.ts'
import { Moderation, type BanSubject, type KickOptions, type RestrictionOptions } from './moderation.ts'
import { MemberRights, type Reauthorization, type RemovalOptions } from './member-rights.ts'
import { membersOf, sendTo, type RoomMembers } from './people.ts'
import { draftOf, type Publication, type WriteStreamOptions } from './publication.ts'
import { assertRoom } from './room-name.ts'
import type { ReadPositions } from '../rooms/reads/read-positions.ts'
import type { Roster } from '../roster.ts'
import type { Rooms } from '../rooms/rooms.ts'
import type { Store, Position } from '../store.ts'
import type { Stats, Counters } from '../observability/stats.ts'
import { subscribeTo } from './subscription.ts'
import type { TextStream } from './text-stream.ts'
import type { TextStreams } from './text-streams.ts'
import { unreadOf, type UnreadQuery, type UnreadRoom } from './unread.ts'

export interface ChatParts {
  readonly rooms: Rooms
  readonly roster: Roster
  readonly store: Store
  /** Undefined if no hook names the members. */
  readonly readPositions: ReadPositions | undefined
  readonly peers: Peers
  readonly connections: Connections
  readonly hooks: Pick<Hooks, 'onPost' | 'onChange'>
  readonly hookCalls: HookCalls
  readonly streams: TextStreams
  readonly counters: Counters
  readonly limits: { readonly chatPayload: number, readonly pendingBytes: number }
  readonly log: FastifyBaseLogger
}

/** `app.chat`: the server API of the chat, for HTTP routes, bots and jobs. */
export class Chat {
  readonly #parts: ChatParts
  readonly #changes: ChatChanges
  readonly #moderation: Moderation
  readonly #rights: MemberRights

  constructor (parts: ChatParts) {
    this.#parts = parts
    this.#changes = new ChatChanges(parts, parts.hooks.onChange)
    this.#moderation = new Moderation(parts.roster)
    this.#rights = new MemberRights(parts.store, parts.readPositions, () => parts.rooms.names())
  }

  /**
   * Posts a message in a room. Resolves with its position once it is stored. Of the hooks, it calls `onPost` only: the others
   * are for members. With `authenticate`, it moves the read position of the sender. Rejects as the store's `append` does.
   * @throws InvalidRoom, InvalidArgument, PostTooLarge
   */
  async publish (room: string, publication: Publication): Promise<Position> {
    assertRoom(room)
    const { store, hooks: { onPost }, hookCalls, readPositions, limits } = this.#parts
    const draft = draftOf(publication, contentLimit(limits))
    const stored = store.append(room, draft)
    if (onPost !== undefined) callOnPost(hookCalls, inContext({ onPost }).onPost, room, draft, stored)
    const appended = await stored
    if (draft.from !== null && !appended.again) readPositions?.posted(draft.from.id, room, appended)
    return appended.position
  }

  /**
   * Posts a message whose text grows, such as the answer of a language model. Returns a stream that text is written to. `end()`
   * completes the message; `destroy()` ends it as unfinished. Of the hooks, it calls `onPost` when the message is stored, without
   * text, and `onChange` when it ends. An error of the store that outlasts its retries is the stream's error, and so is a deletion of
   * the message, by a member too: without an `error` listener, it ends the process.
   * @throws InvalidRoom, InvalidArgument, PostTooLarge, StoreClosed
   */
  createWriteStream (room: string, options: WriteStreamOptions = {}): TextStream {
    assertRoom(room)
    return this.#parts.streams.create(room, options)
  }

  /**
   * Calls the listener with the later entries of a room, from all nodes. A streamed text is an entry without text, when it begins.
   * Resolves with an unsubscribe function once the subscription is live. An error of the listener is logged, and affects nothing else. The room counts in `limits.rooms` until
   * the unsubscribe function is called.
   *
   * Entries that are lost in a break are not delivered, and the break is not reported: after `clear`, or an outage of the backend
   * that outlasts the kept history. The `offset` of the next entry then isn't the previous one plus 1: read `history` back to
   * the last entry that the listener received.
   * @throws InvalidRoom, InvalidArgument, TooManyRooms
   */
  async subscribe (name: string, listener: (entry: ChatEntry) => void | Promise<void>): Promise<() => void> {
    assertRoom(name)
    assertFunction('listener', listener)
    return await subscribeTo(this.#parts.rooms, this.#parts.log, name, listener)
  }

  /** Returns the names of the rooms in use on this node. */
  rooms (): string[] { return this.#parts.rooms.names() }

  /**
   * Resolves with the members of a room on all nodes. The list is capped, `count` is not. Opens the room on this node and
   * follows it for 30 s, so the room counts in `limits.rooms`.
   * @throws InvalidRoom, TooManyRooms
   */
  async members (room: string): Promise<RoomMembers> {
    assertRoom(room)
    return await membersOf(this.#parts.rooms, room)
  }

  /**
   * Sends data to the v1 connections of a member, on all nodes. Each connection receives it at most once. Nothing is stored. Resolves
   * with `true` if a node had such a connection; the data may still be lost. Rejects as the roster's `send` does.
   * @param data any JSON value
   * @throws InvalidArgument, PostTooLarge
   */
  async sendToMember (memberId: string, data: unknown): Promise<boolean> {
    const { roster, limits } = this.#parts
    return await sendTo(roster, memberId, data, contentLimit(limits))
  }

  /**
   * Resolves with entries of a room, oldest first. `complete` is false if the position `before` isn't kept: the newest
   * entries are returned then.
   * @throws InvalidRoom, InvalidArgument
   */
  async history (room: string, query: HistoryQuery = {}): Promise<ChatPage> {
    assertRoom(room)
    return await readHistory(this.#parts.store, room, query)
  }

  /**
   * Resolves with the number of unread messages of a member in each room, for badges and mails. Without `rooms`, the result has the rooms
   * in which the member has a read position, in the order of the room names. With `rooms`, it has exactly these rooms, in the given order;
   * in a room without a read position, all kept messages are unread. `authorize` is not called. Only members that `authenticate` names
   * have stored read positions. Moves that another node received in the last two seconds may be missing. Creates no room.
   * @throws InvalidArgument, InvalidRoom
   */
  async unread (memberId: string, query: UnreadQuery = {}): Promise<UnreadRoom[]> {
    const { readPositions, store } = this.#parts
    return await unreadOf(memberId, query, readPositions, store)
  }

  /**
   * Replaces the content of a message. Of the hooks, it calls `onChange` only, as all changes of the app do. An edit to the same
   * content changes nothing.
   * @throws InvalidRoom, InvalidArgument, PostTooLarge, NotKept, EntryDeleted; InvalidChange for a binary message, and while the text is streamed
   */
  async edit (room: string, position: Position, edit: Edit): Promise<void> {
    assertRoom(room)
    await this.#changes.edit(room, position, edit)
  }

  /**
   * Deletes a message: its content and reactions are removed, its position and offset stay. A stream of its text fails.
   * @throws InvalidRoom, InvalidArgument, NotKept
   */
  async delete (room: string, position: Position): Promise<void> {
    assertRoom(room)
    await this.#changes.delete(room, position)
  }

  /**
   * Adds a reaction of a member to a message, or removes it.
   * @throws InvalidRoom, InvalidArgument, NotKept, EntryDeleted, TooManyReactions
   */
  async react (room: string, position: Position, reaction: string, options: ReactOptions): Promise<void> {
    assertRoom(room)
    await this.#changes.react(room, position, reaction, options)
  }

  /**
   * Deletes all messages of a member that were stored before the call, in one room or in all. Resolves with their number. To keep
   * the member from posting again, mute or ban it first.
   * @throws InvalidRoom, InvalidArgument
   */
  async deleteMessages (of: MessagesOfMember): Promise<number> {
    assertProperties('of', of, ['member', 'room'])
    const { member, room } = of
    assertMemberId('of.member', member)
    if (room !== undefined) assertRoom(room)
    return await this.#changes.deleteMessages(member, room === undefined ? this.#parts.store.rooms() : [[room]])
  }

  /**
   * Removes all messages of a room. Notifies its members that their view of the room is no longer valid.
   * @throws InvalidRoom
   */
  async clear (room: string): Promise<void> {
    assertRoom(room)
    await this.#parts.store.clear(room)
  }

  /**
   * Removes a member from a room, on every node. No message or change that is stored once the promise has resolved reaches the
   * member, and `left` is the last message of the room that it receives. A plain client's connection is closed with 4403. Messages that were
   * stored before may not reach it. The member may join again if `authorize` allows it. A join that is in progress is authorized
   * again; without that hook, it is refused. Its read position in the room is removed. Rejects as the store's `append` does.
   * @param id of the member
   * @throws InvalidRoom, InvalidArgument
   */
  async removeMember (room: string, id: string, options?: RemovalOptions): Promise<void> {
    assertRoom(room)
    await this.#rights.remove(room, id, options)
  }

  /**
   * Calls `authorize` with 'join' again for members that are in a room, on every node: for a member, or for all, in a room, or in all.
   * No message or change that is stored once the promise has resolved reaches one of them before `authorize` has allowed it. Those
   * whom it allows then receive everything that was stored meanwhile; those whom it doesn't are removed with the code
   * `forbidden`. Memberships of an app without that hook are not affected.
   *
   * Without `room`, it stores a record in each kept room, one after the other: name the room if there are many. Rejects as the store's
   * `append` does; the members of some rooms may have been authorized again then.
   * @throws InvalidRoom, InvalidArgument
   */
  async reauthorize (whom: Reauthorization = {}): Promise<void> {
    await this.#rights.reauthorize(whom)
  }

  /**
   * Closes the current connections of a member, on every node, with 4403. The member may reconnect.
   * @param id of the member
   * @throws InvalidArgument
   */
  async kick (id: string, options?: KickOptions): Promise<void> { await this.#moderation.kick(id, options) }

  /**
   * Refuses a member's posts, changes and signals for a time. Replaces an earlier mute. Once it has resolved, this node
   * stores no later post of the member.
   * @param id of the member
   * @throws InvalidArgument
   */
  async mute (id: string, options: RestrictionOptions): Promise<void> { await this.#moderation.mute(id, options) }

  /** Ends a mute, if there is one. @param id of the member @throws InvalidArgument */
  async unmute (id: string): Promise<void> { await this.#moderation.unmute(id) }

  /**
   * Closes the chat connections of a member, or of all members at an address, with 4403, and refuses new ones for a time.
   * Replaces an earlier ban.
   * @throws InvalidArgument, InvalidAddress
   */
  async ban (who: BanSubject, options: RestrictionOptions): Promise<void> { await this.#moderation.ban(who, options) }

  /** Ends a ban, if there is one. @throws InvalidArgument, InvalidAddress */
  async unban (who: BanSubject): Promise<void> { await this.#moderation.unban(who) }

  /** Returns the current state of the chat on this node, and its counters since the start. */
  stats (): Stats {
    const { connections, peers, rooms, counters } = this.#parts
    return counters.stats({
      connections: connections.size, members: peers.size, rooms: rooms.names().length, pendingBytes: connections.pendingBytes
    })
  }

  /** Rejects within a bounded time while joins or posts fail. Intended for a health route of the app. */
  async check (): Promise<void> {
    const { store, roster } = this.#parts
    await Promise.all([store.check(), roster.check()])
  }
}
