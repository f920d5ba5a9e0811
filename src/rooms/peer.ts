import type { Connection } from '../connection/connection.ts'
import { diagnostics, type MembershipChanged } from '../observability/diagnostics.ts'
import { clientContent, contentHash, contentLimit, type Content } from '../content.ts'
import { AlreadyJoined, NotJoined, TooManyRooms } from '../errors.ts'
import { authorize, may, run, vet, type Hooks, type PostDraft } from '../hooks.ts'
import { PeerRestrictions } from './peer-restrictions.ts'
import type { Format, Membership } from './membership.ts'
import { CloseCode } from '../protocol.ts'
import { randomId } from './random-id.ts'
import type { JoinQuery, Room } from './room.ts'
import type { Roster } from '../roster.ts'
import type { Rooms } from './rooms.ts'
import type { Member, Cursor, Page, Position } from '../store.ts'
import type { Counters } from '../observability/stats.ts'

export interface PeerContext {
  readonly rooms: Rooms
  readonly roster: Roster
  readonly members: { add (member: Peer): void, delete (member: Peer): void }
  readonly hooks: Hooks
  readonly limits: { readonly roomsPerMember: number, readonly chatPayload: number, readonly backlog: number }
  readonly tally: Counters
}

export interface JoinOptions extends JoinQuery {
  readonly format: Format
  readonly hearsItself: boolean
}

/** id: the client's own, for telling a repeat. since: its place when it first sent it, on a post sent again. */
export interface Post extends PostDraft {
  readonly id?: string | undefined
  readonly since?: Position | undefined
}

/** submitted: when its turn at the store has come, for keeping posts in order; undefined if it has. */
export interface PostResult {
  readonly submitted: Promise<void> | undefined
  readonly stored: Promise<Cursor & { readonly again: boolean }>
}

/**
 * announced: whether `onJoin` was told of it, and `onLeave` will be. typing: what `authorize` answered for it last, and until
 * when that counts, by the monotonic clock.
 */
interface Place extends Membership { readonly room: Room, announced: boolean, typing: { readonly allowed: boolean, readonly until: number } | undefined }

/** The longest that one timer can wait, in ms. */
const LONGEST_TIMER = 2 ** 31 - 1

/** ms for which an answer of `authorize` counts for typing, which clients send every few seconds. */
const TYPING_ALLOWED = 5_000

/** Someone on one connection: who it is, and where it is. */
export class Peer {
  readonly member: Member
  readonly connection: Connection
  readonly restrictions: PeerRestrictions
  readonly #id = randomId()
  /** Of the keys of all it posts. */
  #keyPrefix: string | undefined
  readonly #context: PeerContext
  /** Few, so that a list is as quick as a map, and smaller. */
  #places: readonly Place[] = []
  #expiry: NodeJS.Timeout | undefined

  constructor (connection: Connection, identity: Member, context: PeerContext) {
    this.connection = connection
    this.member = identity
    this.#context = context
    this.restrictions = new PeerRestrictions(connection)
    context.members.add(this)
  }

  /** The member's seat in a room it has joined. */
  seat (room: string): Membership | undefined { return this.#place(room) }

  /**
   * Closes the connection when its identity ends.
   * @param at ms since the epoch
   */
  expire (at: number): void {
    const left = at - Date.now()
    if (left <= 0) this.connection.close(CloseCode.unauthenticated, 'the authentication has expired')
    else this.#expiry = setTimeout(() => this.expire(at), Math.min(left, LONGEST_TIMER)).unref()
  }

  /** Its connection is closed. */
  ended (): void {
    clearTimeout(this.#expiry)
    this.#context.members.delete(this)
    for (const place of this.#places) this.#leave(place)
  }

  /**
   * Resolves when it was told that it joined; rejects as store and roster do, and when `authorize` throws.
   * @throws AlreadyJoined, TooManyRooms, Forbidden
   */
  async join (name: string, { format, hearsItself, ...query }: JoinOptions): Promise<void> {
    const { member: identity, connection } = this
    const { rooms, roster, hooks, limits } = this.#context
    if (this.#place(name) !== undefined) throw new AlreadyJoined(name)
    if (this.#places.length >= limits.roomsPerMember) throw new TooManyRooms()
    await authorize(hooks, { member: identity, action: 'join', room: name })
    const room = await rooms.take(name, connection.address.name)
    const place: Place = {
      connection, format, member: identity, hearsItself, mark: 0, epoch: 0, presence: undefined, acks: undefined, room, announced: false, typing: undefined
    }
    try {
      await roster.enter(name, this.#id, identity)
    } catch (error) {
      rooms.release(room, connection.address.name)
      throw error
    }
    this.#places = this.#places.concat(place)
    if (!connection.open) return this.#vacate(place)
    try {
      await this.#told(place, query)
    } catch (error) {
      if (this.#places.includes(place)) this.#vacate(place)
      throw error
    }
    if (!this.#places.includes(place)) return
    place.announced = true
    if (diagnostics.joined.hasSubscribers) diagnostics.joined.publish(this.#membership(name))
    await run('onJoin', () => hooks.onJoin?.(identity, name))
  }

  /** @throws NotJoined */
  leave (room: string): void {
    const place = this.#place(room)
    if (place === undefined) throw new NotJoined(room)
    this.#leave(place)
  }

  /** Posts reach the store in the order of the calls, if each waits for the one before to be submitted. */
  post (post: Post): PostResult {
    const { hooks, rooms } = this.#context
    const place = this.#place(post.room)
    if (place === undefined) return refusal(new NotJoined(post.room))
    // Not the post's own, which may be a slice of all that came with it: stores keep it.
    const { name: room } = place.room

    const key = post.id === undefined ? undefined : this.#keyOf(post.id)
    const content = clientContent(post.body, post.data)
    const draft = {
      key,
      hash: key === undefined ? undefined : contentHash(content),
      since: post.since,
      from: this.member,
      body: content.body,
      data: content.data
    }
    if (post.since === undefined && this.restrictions.isEmpty && hooks.authorize === undefined && hooks.onMessage === undefined) {
      return { submitted: undefined, stored: rooms.append(room, draft) }
    }
    // A repeat is looked up before the hooks, so that no filter refuses what was accepted.
    let isRepeat = false
    const vetted = post.since === undefined || key === undefined
      ? this.#vet(post, content)
      : rooms.find(room, key).then((known) => {
        isRepeat = known !== undefined
        return isRepeat ? content : this.#vet(post, content)
      })
    const stored = vetted.then(({ body, data }) => {
      // In one step with the append: a restriction may have come while it waited.
      if (!isRepeat) this.restrictions.assertMayPost(room)
      return rooms.append(room, { ...draft, body, data })
    })
    return { submitted: vetted.then(() => {}, () => {}), stored }
  }

  /** Older entries of a room it has joined. @throws NotJoined, Forbidden */
  async history (room: string, before: Position, limit: number, maxBytes: number): Promise<Page> {
    const { hooks, rooms } = this.#context
    if (this.#place(room) === undefined) throw new NotJoined(room)
    await authorize(hooks, { member: this.member, action: 'history', room })
    return await rooms.read(room, { before, limit, maxBytes })
  }

  /** Shows the others of the room that it is typing; nothing is sent for a member that may not post. @throws NotJoined */
  typing (room: string): Promise<void> | undefined {
    const { hooks } = this.#context
    const place = this.#place(room)
    if (place === undefined) throw new NotJoined(room)
    if (hooks.authorize === undefined || (place.typing !== undefined && place.typing.until > performance.now())) {
      this.#showTyping(place)
      return undefined
    }
    return may(hooks, { member: this.member, action: 'post', room: place.room.name }).then((allowed) => {
      place.typing = { allowed, until: performance.now() + TYPING_ALLOWED }
      this.#showTyping(place)
    })
  }

  /** Of two parts, neither of which may reach into the other. */
  #keyOf (id: string): string {
    this.#keyPrefix ??= `${this.member.id.length} ${this.member.id} `
    return this.#keyPrefix + id
  }

  async #vet (post: Post, content: Content): Promise<Content> {
    this.restrictions.assertMayPost(post.room)
    const { hooks, limits } = this.#context
    return await vet(hooks, post, content, this.member, contentLimit(limits))
  }

  #showTyping (place: Place): void {
    const { name } = place.room
    if (place.typing?.allowed === false || !this.#places.includes(place)) return
    try {
      this.restrictions.assertMayPost(name)
    } catch {
      return
    }
    this.#context.roster.signal(name, { typing: this.member })
  }

  #place (name: string): Place | undefined {
    for (const place of this.#places) if (place.room.name === name) return place
    return undefined
  }

  /** Resolves when it was told that it joined; what it missed may go on coming after. */
  #told (place: Place, query: JoinQuery): Promise<void> {
    const { connection, room } = place
    return new Promise((resolve, reject) => {
      let told = false
      room.join(place, query, () => { told = true; resolve() }).then(resolve, (error: unknown) => {
        if (!told) return reject(error)
        connection.close(CloseCode.tryAgainLater, 'try again later', { err: error })
      })
    })
  }

  #leave (place: Place): void {
    this.#vacate(place)
    if (!place.announced) return
    if (diagnostics.left.hasSubscribers) diagnostics.left.publish(this.#membership(place.room.name))
    run('onLeave', () => this.#context.hooks.onLeave?.(this.member, place.room.name))
      .catch((error: unknown) => this.connection.fail(error))
  }

  #membership (room: string): MembershipChanged {
    return { chat: this.#context.tally.chat, connection: this.connection, member: this.member, room }
  }

  #vacate (place: Place): void {
    const { rooms, roster } = this.#context
    const { room, connection } = place
    this.#places = this.#places.filter((other) => other !== place)
    room.leave(place)
    rooms.release(room, connection.address.name)
    roster.leave(room.name, this.#id).catch((error: unknown) => connection.log.warn({ err: error, room: room.name }, 'the roster failed'))
  }
}

function refusal (error: Error): PostResult {
  return { submitted: undefined, stored: Promise.reject(error) }
}
