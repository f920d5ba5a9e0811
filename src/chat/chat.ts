import { assertFunction, assertPosition, assertProperties, propertyErrors } from '../argument-checks.ts'
import { InvalidArgument, InvalidRoom } from '../errors.ts'
import type { FastifyBaseLogger } from 'fastify'
import type { Connections } from '../connection/connections.ts'
import { appContent, assertSize, contentLimit } from '../content.ts'
import { checkMember } from '../rooms/member-check.ts'
import type { Peers } from '../rooms/peers.ts'
import { Moderation, type BanSubject, type KickOptions, type RestrictionOptions } from './moderation.ts'
import { roomName } from '../protocol.ts'
import type { Presence, Roster } from '../roster.ts'
import type { Rooms } from '../rooms/rooms.ts'
import type { ChatStore, Entry, Member, Page, Position } from '../store.ts'
import type { Stats, Counters } from '../observability/stats.ts'
import { logSafely } from '../thrown.ts'

/** What the app says in a room. */
export interface Publication {
  readonly text: string
  /** who it is from, by the rules for a member's id and name; by default nobody */
  readonly from?: Member | undefined
  /** JSON of the app's own, for v1 clients */
  readonly data?: unknown
}

/** An entry as the app gets it: its `data` parsed. */
export interface ChatEntry extends Omit<Entry, 'data'> { readonly data?: unknown }

/** A page of entries as the app gets them. */
export interface ChatPage extends Omit<Page, 'entries'> { readonly entries: readonly ChatEntry[] }

export interface HistoryQuery {
  /** entries, an integer from 0 on; 50 */
  readonly limit?: number | undefined
  /** those before this place; the newest */
  readonly before?: Position | undefined
}

export interface ChatParts {
  readonly rooms: Rooms
  readonly roster: Roster
  readonly store: ChatStore
  readonly members: Peers
  readonly connections: Connections
  readonly tally: Counters
  readonly limits: { readonly chatPayload: number, readonly backlog: number }
  readonly log: FastifyBaseLogger
}

/** `app.chat`: the chat from the server's side, for HTTP routes, bots and jobs. */
export class Chat {
  readonly #parts: ChatParts
  readonly #moderation: Moderation

  constructor (parts: ChatParts) {
    this.#parts = parts
    this.#moderation = new Moderation(parts.roster)
  }

  /**
   * Says something in a room; resolves with its position once stored, and past the hooks, which are for members. Rejects
   * as the store's `append` does.
   * @throws InvalidRoom, InvalidArgument, PostTooLarge
   */
  async publish (room: string, publication: Publication): Promise<Position> {
    assertRoom(room)
    assertProperties('publication', publication, ['text', 'from', 'data'])
    const { text, from, data } = publication
    if (typeof text !== 'string') throw new InvalidArgument('publication.text', 'must be a string')
    const draft = { from: senderOf(from), ...appContent(text, data, propertyErrors('publication')) }
    assertSize(draft, draft.from, contentLimit(this.#parts.limits))
    const { position } = await this.#parts.rooms.append(room, draft)
    return position
  }

  /**
   * Calls the listener with every entry of a room from now on, whichever node it was posted on. Resolves when live, to
   * how to stop. What a listener throws is logged, and concerns nobody else.
   * @throws InvalidRoom, InvalidArgument
   */
  async subscribe (name: string, listener: (entry: ChatEntry) => void | Promise<void>): Promise<() => void> {
    assertRoom(name)
    assertFunction('listener', listener)
    const { rooms } = this.#parts
    const room = await rooms.take(name)
    const call = async (entry: Entry) => { await listener(parsed(entry)) }
    const stop = room.subscribe((entry) => {
      call(entry).catch((err: unknown) => logSafely(this.#parts.log, 'error', { err, room: name }, 'a listener of a room failed'))
    })
    return () => {
      if (stop()) rooms.release(room)
    }
  }

  /** The names of the rooms in use on this node. */
  rooms (): string[] { return this.#parts.rooms.names() }

  /** Who is in a room, on any node; the list is capped, `count` is not. */
  async members (room: string): Promise<Presence> {
    assertRoom(room)
    return await this.#parts.rooms.presence(room)
  }

  /**
   * Resolves with entries of a room, oldest first. complete: false when `before` can't be vouched for: these are the newest then.
   * @throws InvalidRoom, InvalidArgument
   */
  async history (room: string, query: HistoryQuery = {}): Promise<ChatPage> {
    assertRoom(room)
    assertProperties('query', query, ['limit', 'before'])
    const { limit = 50, before } = query
    if (!Number.isSafeInteger(limit) || limit < 0) throw new InvalidArgument('query.limit', 'must be an integer from 0 on')
    if (before !== undefined) assertPosition('query.before', before)
    const page = await this.#parts.rooms.read(room, { limit, maxBytes: Infinity, ...before !== undefined && { before } })
    return { ...page, entries: page.entries.map(parsed) }
  }

  /**
   * Removes the content of one message; its place stays. A position that isn't kept changes nothing.
   * @throws InvalidRoom, InvalidArgument
   */
  async erase (room: string, position: Position): Promise<void> {
    assertRoom(room)
    assertPosition('position', position)
    await this.#parts.rooms.erase(room, position)
  }

  /**
   * Removes all messages of a room. Its members are told that their view of it no longer holds.
   * @throws InvalidRoom
   */
  async clear (room: string): Promise<void> {
    assertRoom(room)
    await this.#parts.rooms.clear(room)
  }

  /**
   * Closes the connections that a member has now, on every node, with 4403; it may come back.
   * @param id of the member
   * @throws InvalidArgument
   */
  async kick (id: string, options?: KickOptions): Promise<void> { await this.#moderation.kick(id, options) }

  /**
   * Refuses a member's posts, and doesn't show it typing, for a time. Replaces the mute before. When it resolves, no later
   * post of the member on this node is stored.
   * @param id of the member
   * @throws InvalidArgument
   */
  async mute (id: string, options: RestrictionOptions): Promise<void> { await this.#moderation.mute(id, options) }

  /** Ends a mute; there need be none. @param id of the member @throws InvalidArgument */
  async unmute (id: string): Promise<void> { await this.#moderation.unmute(id) }

  /**
   * Closes the chat connections of a member, or of everyone at an address, with 4403, and lets none in for a time. Replaces
   * the ban before.
   * @throws InvalidArgument, InvalidAddress
   */
  async ban (who: BanSubject, options: RestrictionOptions): Promise<void> { await this.#moderation.ban(who, options) }

  /** Ends a ban; there need be none. @throws InvalidArgument, InvalidAddress */
  async unban (who: BanSubject): Promise<void> { await this.#moderation.unban(who) }

  /** What goes on here now, and what was counted since the start. */
  stats (): Stats {
    const { connections, members, rooms, tally } = this.#parts
    return {
      connections: connections.size,
      members: members.size,
      rooms: rooms.names().length,
      posts: tally.posts,
      deliveries: tally.deliveries,
      refusals: tally.refusals.toObject(),
      cutOffs: tally.cutOffs.toObject(),
      storeErrors: tally.storeErrors.toObject(),
      backlog: connections.backlog
    }
  }

  /** Rejects, within a bound, while nobody can join or post: for an app's own health route. */
  async check (): Promise<void> {
    const { store, roster } = this.#parts
    await Promise.all([store.check(), roster.check()])
  }
}

function assertRoom (room: string): void {
  if (typeof room !== 'string' || !roomName.test(room)) throw new InvalidRoom(room)
}

/** What is no member's identity is a frame that no client takes, and each would come back for it again and again. */
function senderOf (from: unknown): Member | null {
  if (from === undefined || from === null) return null
  if (typeof from !== 'object') throw new InvalidArgument('publication.from', 'must be an object with id and name, or null')
  // Other properties are ignored: an app may pass a user of its own.
  const { id, name } = from as Record<string, unknown>
  return checkMember(id, name, propertyErrors('publication.from'))
}

function parsed (entry: Entry): ChatEntry {
  return entry.data === undefined ? entry : { ...entry, data: JSON.parse(entry.data) as unknown }
}
