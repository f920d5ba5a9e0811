import { normalizeAddress, subjectOf } from './addresses.ts'
import { InvalidAddress, InvalidPost, InvalidRoom } from './errors.ts'
import type { FastifyBaseLogger } from 'fastify'
import type { Connections } from './connections.ts'
import { appContent, assertSize, contentLimit } from './content.ts'
import type { Members } from './members.ts'
import { roomName } from './protocol.ts'
import type { Presence, Restriction, Roster } from './roster/roster.ts'
import type { Rooms } from './rooms.ts'
import type { ChatStore, Entry, Identity, Page, Position } from './store/store.ts'
import type { Stats, Tally } from './tally.ts'

/** A member whom the roster is asked about to see that it answers. */
const NOBODY = 'nobody'

/** What the app says in a room. */
export interface Publication {
  readonly text: string
  /** who it is from; by default nobody */
  readonly from?: Identity | undefined
  /** JSON of the app's own, for v1 clients */
  readonly data?: unknown
}

/** An entry as the app gets it: its `data` parsed. */
export interface ChatEntry extends Omit<Entry, 'data'> { readonly data?: unknown }

/** A page of entries as the app gets them. */
export interface ChatPage extends Omit<Page, 'entries'> { readonly entries: readonly ChatEntry[] }

export interface HistoryQuery {
  /** entries; 50 */
  readonly limit?: number | undefined
  /** those before this place; the newest */
  readonly before?: Position | undefined
}

export interface ChatParts {
  readonly rooms: Rooms
  readonly roster: Roster
  readonly store: ChatStore
  readonly members: Members
  readonly connections: Connections
  readonly tally: Tally
  readonly limits: { readonly chatPayload: number, readonly backlog: number }
  readonly log: FastifyBaseLogger
}

/** `app.chat`: the chat from the server's side, for HTTP routes, bots and jobs. */
export class Chat {
  readonly #parts: ChatParts

  constructor (parts: ChatParts) {
    this.#parts = parts
  }

  /**
   * Says something in a room; resolves with its position once stored, and past the hooks, which are for members. Rejects
   * as the store's `append` does.
   * @throws InvalidRoom, InvalidPost, PostTooLarge
   */
  async publish (room: string, { text, from, data }: Publication): Promise<Position> {
    assertRoom(room)
    const draft = { from: senderOf(from), ...appContent(text, data) }
    assertSize(draft, draft.from, contentLimit(this.#parts.limits))
    const { position } = await this.#parts.rooms.append(room, draft)
    return position
  }

  /**
   * Calls the listener with every entry of a room from now on, whichever node it was posted on. Resolves when live, to
   * how to stop. What a listener throws is logged, and concerns nobody else.
   * @throws InvalidRoom
   */
  async subscribe (name: string, listener: (entry: ChatEntry) => void | Promise<void>): Promise<() => void> {
    assertRoom(name)
    const { rooms } = this.#parts
    const room = await rooms.take(name)
    const failed = (error: unknown) => this.#parts.log.error({ err: error, room: name }, 'a listener of a room failed')
    const stop = room.subscribe((entry) => {
      try {
        listener(parsed(entry))?.catch(failed)
      } catch (error) {
        failed(error)
      }
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

  /** Entries of a room, oldest first. complete: false when `before` can't be vouched for: these are the newest then. */
  async history (room: string, { limit = 50, before }: HistoryQuery = {}): Promise<ChatPage> {
    assertRoom(room)
    const page = await this.#parts.rooms.read(room, { limit, maxBytes: Infinity, ...before !== undefined && { before } })
    return { ...page, entries: page.entries.map(parsed) }
  }

  /** Forgets one message's content, or a whole room, whose members are told that their view of it no longer holds. */
  async erase (room: string, position?: Position): Promise<void> {
    assertRoom(room)
    await this.#parts.rooms.erase(room, position)
  }

  /** Closes a member's connections with 4403; it may come back. @param id of the member */
  async kick (id: string, reason: string): Promise<void> {
    await this.#restrict(id, { kind: 'kick', until: Date.now(), reason })
  }

  /** Refuses a member's posts for a time. @param ms how long; 0 lifts it */
  async mute (id: string, ms: number, reason = 'muted by a moderator'): Promise<void> {
    await this.#restrict(id, { kind: 'mute', until: Date.now() + ms, reason })
  }

  /**
   * Closes the chat connections of a member, or of everyone at an address, with 4403, and lets none in for a time.
   * @param who the id of a member, or an IP address as `request.ip` shows it; one of IPv6 stands for its /64
   * @param ms how long; 0 lifts it
   * @throws InvalidAddress
   */
  async ban (who: string | { readonly address: string }, ms: number, reason = 'banned by a moderator'): Promise<void> {
    await this.#restrict(typeof who === 'string' ? who : subjectAt(who.address), { kind: 'ban', until: Date.now() + ms, reason })
  }

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
    await Promise.all([store.check(), roster.restrictions([NOBODY])])
  }

  #restrict (id: string, what: Restriction): Promise<void> {
    return this.#parts.roster.restrict(id, what)
  }
}

function assertRoom (room: string): void {
  if (typeof room !== 'string' || !roomName.test(room)) throw new InvalidRoom(room)
}

/** What is no member's identity is a frame that no client takes, and each would come back for it again and again. */
function senderOf (from: unknown): Identity | null {
  if (from === undefined || from === null) return null
  const { id, name } = from as Record<string, unknown>
  if (typeof id === 'string' && id !== '' && typeof name === 'string') return { id: id.toWellFormed(), name: name.toWellFormed() }
  throw new InvalidPost("a 'from' with an id that isn't empty and a name, both of them strings, or none")
}

function parsed (entry: Entry): ChatEntry {
  return entry.data === undefined ? entry : { ...entry, data: JSON.parse(entry.data) as unknown }
}

function subjectAt (given: string): string {
  const address = normalizeAddress(given)
  if (address === undefined) throw new InvalidAddress(given)
  return subjectOf(address)
}
