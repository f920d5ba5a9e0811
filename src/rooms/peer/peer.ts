import type { Attendances, DirectReceiver } from './attendances.ts'
import type { Connection } from '../../connection/connection.ts'
import { AlreadyJoined, NotJoined, TooManyRoomsOfMember } from '../../errors.ts'
import { authorize, may, type Hooks } from '../../hooks.ts'
import { submitChange, type ChangeRequest, type ChangeResult } from './change.ts'
import { enterRoom, leaveRoom, type RoomsAndRoster } from './enter-room.ts'
import { Expiry } from './expiry.ts'
import { PeerRestrictions } from './peer-restrictions.ts'
import type { Revocation } from '../batch/format.ts'
import { sendHistory, type HistoryQuery } from './history.ts'
import type { JoinQuery } from '../join-query.ts'
import type { MemberForms } from '../membership/member-forms.ts'
import { Membership, type MembershipOwner } from '../membership/membership.ts'
import { reportJoined, reportLeft } from './membership-events.ts'
import type { RightsHolder } from '../membership/membership-rights.ts'
import { listOf, withoutValue, withValue, type OneOrMore } from '../../one-or-more.ts'
import { PeerReads, type PeerReadsContext, type ReadingPeer } from './peer-reads.ts'
import { submit, type Post, type PostContext, type PostResult } from './post.ts'
import { randomId } from '../random-id.ts'
import type { MembershipOptions } from '../batch/receiver.ts'
import { RequestKeys } from './request-keys.ts'
import { sendSignal } from './send-signal.ts'
import type { Signal } from '../../roster.ts'
import type { Appended, Member, Page, Position } from '../../store.ts'
import type { Counters } from '../../observability/stats.ts'

export interface PeerContext extends PostContext, RoomsAndRoster, PeerReadsContext {
  readonly peers: { add (peer: Peer): void, delete (peer: Peer): void }
  readonly attendances: Attendances
  readonly limits: PostContext['limits'] & { readonly roomsPerMember: number }
  readonly counters: Counters
}

export interface JoinOptions extends JoinQuery, MembershipOptions {}

/** A member on one connection, with its memberships. */
export class Peer implements MembershipOwner, ReadingPeer {
  readonly forms: MemberForms
  readonly connection: Connection
  readonly restrictions: PeerRestrictions
  readonly #id = randomId()
  /** Created for the first request that has a key. */
  #keys: RequestKeys | undefined
  readonly #hooks: Hooks
  readonly #context: PeerContext
  #memberships: OneOrMore<Membership> | undefined
  /** Created by the first request that needs it, or when the connection ends. */
  #reads: PeerReads | undefined
  #expiry: Expiry | undefined
  /** Undefined if the connection receives no messages to its member. */
  #direct: DirectReceiver | undefined

  /** @param hooks bound to the context of the connection's request */
  constructor (connection: Connection, forms: MemberForms, hooks: Hooks, context: PeerContext) {
    this.connection = connection
    this.forms = forms
    this.#hooks = hooks
    this.#context = context
    this.restrictions = new PeerRestrictions(connection)
    context.peers.add(this)
  }

  /** The sender of its messages. */
  get member (): Member { return this.forms.sender }

  get reads (): PeerReads { return (this.#reads ??= new PeerReads(this, this.#hooks, this.#context)) }

  hasJoined (room: string): boolean { return this.find(room) !== undefined }

  /**
   * Closes the connection when its authentication expires. Call it only once.
   * @param at ms since the Unix epoch
   */
  expire (at: number): void { this.#expiry = new Expiry(this.connection, at) }

  /**
   * Passes each message to the member to the receiver, until the connection is closed. Resolves once later ones will be received.
   * Rejects as the roster does. Call it only once.
   */
  attend (receiver: DirectReceiver): Promise<unknown> {
    this.#direct = receiver
    return this.#context.attendances.begin(this.member.id, receiver)
  }

  /** Called when the connection is closed. Leaves all rooms. */
  ended (): void {
    this.#expiry?.cancel()
    if (this.#direct !== undefined) this.#context.attendances.end(this.member.id, this.#direct)
    this.#context.peers.delete(this)
    for (const membership of listOf(this.#memberships)) this.#leave(membership)
    this.reads.end()
  }

  /**
   * Joins a room. Resolves when the answer was written and `onJoin` has run, or when the member left meanwhile. Rejects as the
   * store and the roster do.
   * @throws AlreadyJoined, TooManyRooms, TooManyRoomsOfMember, TooManyRoomsOfAddress, Forbidden, HookFailed
   */
  async join (name: string, { format, includeSender, ...query }: JoinOptions): Promise<void> {
    const { forms: { member }, connection } = this
    const { rooms, limits, readPositions } = this.#context
    if (this.find(name) !== undefined) throw new AlreadyJoined(name)
    if (listOf(this.#memberships).length >= limits.roomsPerMember) throw new TooManyRoomsOfMember()
    const [before, controls] = [rooms.find(name), rooms.find(name)?.controls]
    const readKnown = readPositions === undefined ? undefined : this.reads.use(name, format.read !== undefined)
    readKnown?.catch(() => { /* rethrown by `enterRoom`, unless the member may not join */ })
    let membership: Membership | undefined
    try {
      await authorize(this.#hooks, { member, action: 'join', room: name })
      const room = rooms.take(name, connection.address.name)
      const joining = membership = new Membership(connection, this.forms, room.name, { format, includeSender }, this)
      // A control may have come after the answer of the hook, and before the room can apply it to the membership.
      const isCurrent = room === before && controls !== undefined && room.controls === controls
      await enterRoom(joining, room, this.#id, { ...query, readKnown }, this.#context, () => {
        if (!isCurrent) joining.rights.question()
        room.enter(joining)
        this.#memberships = withValue(this.#memberships, joining)
        if (!connection.open) this.#remove(joining)
      })
    } catch (error) {
      if (membership !== undefined && this.#has(membership)) this.#remove(membership)
      // If the connection was closed after the member had entered, `ended` has removed it.
      else if (membership?.hasEnded !== true) this.#reads?.release(name)
      throw error
    }
    if (!this.#has(membership)) return
    await reportJoined(membership, this.#hooks, this.#context.counters.chat)
  }

  mayJoin (room: string): Promise<boolean> | undefined {
    const { forms: { member } } = this
    return this.#hooks.authorize === undefined ? undefined : may(this.#hooks, { member, action: 'join', room })
  }

  revoke (holder: RightsHolder, revocation: Revocation): void {
    const membership = listOf(this.#memberships).find((each) => each === holder)
    if (membership === undefined) return
    if (revocation.code === 'removed') this.reads.removed(membership.room)
    this.#leave(membership, revocation)
  }

  readPosition (room: string): Position | undefined { return this.#reads?.of(room) }

  posted (membership: Membership, appended: Appended): void { this.reads.posted(membership, appended) }

  failed (error: unknown): void { this.connection.fail(error) }

  /** @throws NotJoined */
  leave (room: string): void {
    const membership = this.find(room)
    if (membership === undefined) throw new NotJoined(room)
    this.#leave(membership)
  }

  /**
   * Posts a message. Posts reach the store in the order of the calls if each call waits for the previous `submitted`. The caller
   * must pass the result to `addPost` of the membership's acknowledgements.
   * @throws NotJoined
   */
  post (post: Post): PostResult {
    const membership = this.find(post.room)
    if (membership === undefined) throw new NotJoined(post.room)
    const key = post.id === undefined ? undefined : this.#requestKeys.of(post.id)
    return submit(post, key, membership, this.restrictions, this.#hooks, this.#context)
  }

  /**
   * Changes an entry, in the order of the calls as `post` does. The caller must pass the result to `addChange` of the
   * membership's acknowledgements.
   * @throws NotJoined
   */
  change (request: ChangeRequest): ChangeResult {
    const membership = this.find(request.room)
    if (membership === undefined) throw new NotJoined(request.room)
    return submitChange(request, this.#requestKeys.of(request.id), membership, this.restrictions, this.#hooks, this.#context)
  }

  /** Resolves when the posts and changes so far were sent to this member, or may never be sent; undefined if that is now. Never rejects. */
  delivered (): Promise<unknown> | undefined {
    const pending = listOf(this.#memberships).map((membership) => membership.delivered()).filter((delivered) => delivered !== undefined)
    return pending.length === 0 ? undefined : Promise.all(pending)
  }

  /**
   * Reads entries of a joined room, and calls `answer` with them in the tick in which the member is still allowed to read them.
   * @throws NotJoined, Forbidden, HookFailed
   */
  async history (room: string, query: HistoryQuery, answer: (page: Page) => void): Promise<void> {
    const membership = this.find(room)
    if (membership === undefined) throw new NotJoined(room)
    await sendHistory(membership, query, this.#hooks, this.#context.rooms, answer)
  }

  /** Signals to a room that the member types, or has stopped. Has no effect if the member may not post there. @throws NotJoined */
  typing (room: string, on: boolean): Promise<void> | undefined { return this.#signal(room, { typing: this.member, on }) }

  /** Sends a signal of the app's own to a room. @param data JSON text @throws NotJoined, Forbidden, Muted, HookFailed */
  signal (room: string, data: string): Promise<void> | undefined { return this.#signal(room, { from: this.member, data }) }

  #signal (room: string, signal: Signal): Promise<void> | undefined {
    const membership = this.find(room)
    if (membership === undefined) throw new NotJoined(room)
    return sendSignal(signal, membership, this.restrictions, this.#hooks, this.#context.roster)
  }

  find (name: string): Membership | undefined {
    const memberships = this.#memberships
    // Most peers have one membership. It is found for each post, without a list.
    if (memberships instanceof Membership) return memberships.room === name ? memberships : undefined
    return memberships?.find(({ room }) => room === name)
  }

  #has (membership: Membership): boolean { return listOf(this.#memberships).includes(membership) }

  get #requestKeys (): RequestKeys { return (this.#keys ??= new RequestKeys(this.member.id)) }

  /** @param revocation sent to the member if it doesn't leave by itself */
  #leave (membership: Membership, revocation?: Revocation): void {
    this.#remove(membership)
    if (revocation !== undefined) membership.sendLeft(revocation)
    reportLeft(membership, this.#hooks, this.#context.counters.chat)
  }

  #remove (membership: Membership): void {
    this.#memberships = withoutValue(this.#memberships, membership)
    this.#reads?.release(membership.room)
    leaveRoom(membership, this.#id, this.#context)
  }
}
