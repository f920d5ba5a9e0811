import type { Connection } from '../connection/connection.ts'
import { diagnostics, type MembershipChanged } from '../observability/diagnostics.ts'
import { clientContent, contentHash, contentLimit, type Content } from '../content.ts'
import { AlreadyJoined, NotJoined, TooManyRooms } from '../errors.ts'
import { authorize, may, run, vet, type Hooks, type PostDraft } from '../hooks.ts'
import { PeerRestrictions } from './peer-restrictions.ts'
import type { Format } from './format.ts'
import type { Membership } from './membership.ts'
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
  readonly members: { add (peer: Peer): void, delete (peer: Peer): void }
  readonly hooks: Hooks
  readonly limits: { readonly roomsPerMember: number, readonly chatPayload: number, readonly backlog: number }
  readonly counters: Counters
}

export interface JoinOptions extends JoinQuery {
  readonly format: Format
  readonly hearsItself: boolean
}

/** id: chosen by the client, to recognise a repeated post. since: the client's position when it first sent a repeated post. */
export interface Post extends PostDraft {
  readonly id?: string | undefined
  readonly since?: Position | undefined
}

/** submitted: resolves when the post was passed to the store or refused, to keep posts in order; undefined if it was already. */
export interface PostResult {
  readonly submitted: Promise<void> | undefined
  readonly stored: Promise<Cursor & { readonly again: boolean }>
}

/**
 * announced: whether `onJoin` was called for it, and `onLeave` will be. typing: the last result of `authorize` for typing, and
 * the time by `performance.now()` until which it is reused.
 */
interface JoinedRoom extends Membership {
  readonly room: Room
  announced: boolean
  typing: { readonly allowed: boolean, readonly until: number } | undefined
}

/** Maximum delay of a timer, in ms. */
const LONGEST_TIMER = 2 ** 31 - 1

/** ms for which a result of `authorize` is reused for typing, which clients send every few seconds. */
const TYPING_ALLOWED = 5_000

/** A member on one connection, with its memberships. */
export class Peer {
  readonly member: Member
  readonly connection: Connection
  readonly restrictions: PeerRestrictions
  readonly #id = randomId()
  /** Prefix of the keys of its posts; undefined until the first. */
  #keyPrefix: string | undefined
  readonly #context: PeerContext
  /** Few: an array is as fast as a map, and smaller. */
  #memberships: readonly JoinedRoom[] = []
  #expiry: NodeJS.Timeout | undefined

  constructor (connection: Connection, member: Member, context: PeerContext) {
    this.connection = connection
    this.member = member
    this.#context = context
    this.restrictions = new PeerRestrictions(connection)
    context.members.add(this)
  }

  /** Returns the membership in a room; undefined if the room is not joined. */
  seat (room: string): Membership | undefined { return this.#find(room) }

  /**
   * Closes the connection when its authentication expires.
   * @param at ms since the Unix epoch
   */
  expire (at: number): void {
    const left = at - Date.now()
    if (left <= 0) this.connection.close(CloseCode.unauthenticated, 'the authentication has expired')
    else this.#expiry = setTimeout(() => this.expire(at), Math.min(left, LONGEST_TIMER)).unref()
  }

  /** Called when the connection is closed. Leaves all rooms. */
  ended (): void {
    clearTimeout(this.#expiry)
    this.#context.members.delete(this)
    for (const membership of this.#memberships) this.#leave(membership)
  }

  /**
   * Joins a room. Resolves when the answer was written and `onJoin` has run, or when the member left meanwhile. Rejects as the
   * store and the roster do.
   * @throws AlreadyJoined, TooManyRooms, TooManyRoomsOfAddress, Forbidden, HookFailed
   */
  async join (name: string, { format, hearsItself, ...query }: JoinOptions): Promise<void> {
    const { member, connection } = this
    const { rooms, roster, hooks, limits } = this.#context
    if (this.#find(name) !== undefined) throw new AlreadyJoined(name)
    if (this.#memberships.length >= limits.roomsPerMember) throw new TooManyRooms()
    await authorize(hooks, { member, action: 'join', room: name })
    const room = await rooms.take(name, connection.address.name)
    const membership: JoinedRoom = {
      connection,
      format,
      member,
      hearsItself,
      mark: 0,
      epoch: 0,
      presence: undefined,
      acks: undefined,
      room,
      announced: false,
      typing: undefined
    }
    try {
      await roster.enter(name, this.#id, member)
    } catch (error) {
      rooms.release(room, connection.address.name)
      throw error
    }
    this.#memberships = this.#memberships.concat(membership)
    if (!connection.open) return this.#remove(membership)
    try {
      await this.#waitForJoin(membership, query)
    } catch (error) {
      if (this.#memberships.includes(membership)) this.#remove(membership)
      throw error
    }
    if (!this.#memberships.includes(membership)) return
    membership.announced = true
    if (diagnostics.joined.hasSubscribers) diagnostics.joined.publish(this.#changeOf(name))
    await run('onJoin', () => hooks.onJoin?.(member, name))
  }

  /** @throws NotJoined */
  leave (room: string): void {
    const membership = this.#find(room)
    if (membership === undefined) throw new NotJoined(room)
    this.#leave(membership)
  }

  /** Posts a message. Posts reach the store in the order of the calls if each call waits for the previous `submitted`. */
  post (post: Post): PostResult {
    const { hooks, rooms } = this.#context
    const membership = this.#find(post.room)
    if (membership === undefined) return refusal(new NotJoined(post.room))
    // Not `post.room`, which may be a slice of a large string: stores keep the name.
    const { name: room } = membership.room

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
    // A repeat is looked up before the hooks run, so that they refuse no post that was stored already.
    let isRepeat = false
    const vetted = post.since === undefined || key === undefined
      ? this.#vet(post, content)
      : rooms.find(room, key).then((known) => {
        isRepeat = known !== undefined
        return isRepeat ? content : this.#vet(post, content)
      })
    const stored = vetted.then(({ body, data }) => {
      // Synchronous with the append: a restriction may have arrived while the hooks ran.
      if (!isRepeat) this.restrictions.assertMayPost(room)
      return rooms.append(room, { ...draft, body, data })
    })
    return { submitted: vetted.then(() => {}, () => {}), stored }
  }

  /** Resolves with older entries of a joined room. @throws NotJoined, Forbidden, HookFailed */
  async history (room: string, before: Position, limit: number, maxBytes: number): Promise<Page> {
    const { hooks, rooms } = this.#context
    if (this.#find(room) === undefined) throw new NotJoined(room)
    await authorize(hooks, { member: this.member, action: 'history', room })
    return await rooms.read(room, { before, limit, maxBytes })
  }

  /** Sends a typing signal to a room, unless the member may not post there. @throws NotJoined */
  typing (room: string): Promise<void> | undefined {
    const { hooks } = this.#context
    const membership = this.#find(room)
    if (membership === undefined) throw new NotJoined(room)
    if (hooks.authorize === undefined || (membership.typing !== undefined && membership.typing.until > performance.now())) {
      this.#showTyping(membership)
      return undefined
    }
    return may(hooks, { member: this.member, action: 'post', room: membership.room.name }).then((allowed) => {
      membership.typing = { allowed, until: performance.now() + TYPING_ALLOWED }
      this.#showTyping(membership)
    })
  }

  /** Returns a key of the member's id and the post's id. The length keeps two pairs of ids from making the same key. */
  #keyOf (id: string): string {
    this.#keyPrefix ??= `${this.member.id.length} ${this.member.id} `
    return this.#keyPrefix + id
  }

  async #vet (post: Post, content: Content): Promise<Content> {
    this.restrictions.assertMayPost(post.room)
    const { hooks, limits } = this.#context
    return await vet(hooks, post, content, this.member, contentLimit(limits))
  }

  #showTyping (membership: JoinedRoom): void {
    const { name } = membership.room
    if (membership.typing?.allowed === false || !this.#memberships.includes(membership)) return
    try {
      this.restrictions.assertMayPost(name)
    } catch {
      return
    }
    this.#context.roster.signal(name, { typing: this.member })
  }

  #find (name: string): JoinedRoom | undefined {
    for (const membership of this.#memberships) if (membership.room.name === name) return membership
    return undefined
  }

  /** Resolves when the answer to the join was written; missed entries may follow. A failure after that closes the connection. */
  #waitForJoin (membership: JoinedRoom, query: JoinQuery): Promise<void> {
    const { connection, room } = membership
    return new Promise((resolve, reject) => {
      let hasJoined = false
      room.join(membership, query, () => { hasJoined = true; resolve() }).then(resolve, (error: unknown) => {
        if (!hasJoined) return reject(error)
        connection.close(CloseCode.tryAgainLater, 'try again later', { err: error })
      })
    })
  }

  #leave (membership: JoinedRoom): void {
    this.#remove(membership)
    if (!membership.announced) return
    if (diagnostics.left.hasSubscribers) diagnostics.left.publish(this.#changeOf(membership.room.name))
    run('onLeave', () => this.#context.hooks.onLeave?.(this.member, membership.room.name))
      .catch((error: unknown) => this.connection.fail(error))
  }

  #changeOf (room: string): MembershipChanged {
    return { chat: this.#context.counters.chat, connection: this.connection, member: this.member, room }
  }

  #remove (membership: JoinedRoom): void {
    const { rooms, roster } = this.#context
    const { room, connection } = membership
    this.#memberships = this.#memberships.filter((other) => other !== membership)
    room.leave(membership)
    rooms.release(room, connection.address.name)
    roster.leave(room.name, this.#id).catch((error: unknown) => connection.log.warn({ err: error, room: room.name }, 'could not remove the member from the roster'))
  }
}

function refusal (error: Error): PostResult {
  return { submitted: undefined, stored: Promise.reject(error) }
}
