import type { Amended } from '../../change.ts'
import type { Connection } from '../../connection/connection.ts'
import type { Format } from '../batch/format.ts'
import { OwnPositions } from './own-positions.ts'
import type { Appended, Entry, Position } from '../../store.ts'
import { UndeliveredRequests } from './undelivered-requests.ts'

/** The membership whose requests are acknowledged. */
export interface Requester {
  readonly connection: Connection
  /** Name of the room. */
  readonly room: string
  readonly format: Format
  /** Entries up to this offset were sent to the member, or are not sent. */
  readonly offset: number
  /** Changes up to this number were sent to the member, or are not sent. */
  readonly change: number
  /** The epoch of the room to which `offset` and `change` belong. */
  readonly epoch: number
  readonly hasEnded: boolean
  /** Called when a post is stored. */
  posted (appended: Appended): void
}

/** The posts and changes of a member in one room until they are acknowledged. */
export class Acknowledgements {
  readonly #requester: Requester
  /** Created for the first post. */
  #posts: UndeliveredRequests | undefined
  /** Created for the first change. */
  #changes: UndeliveredRequests | undefined
  /** Created for the first position on the wire that differs from the one in the store. */
  #positions: OwnPositions | undefined

  constructor (requester: Requester) {
    this.#requester = requester
  }

  /** Whether the outcome of each post and change is known. */
  get areSettled (): boolean { return this.#posts?.areSettled !== false && this.#changes?.areSettled !== false }

  /** Whether the member waits for a change of its own. */
  get awaitsChange (): boolean { return this.#changes?.isEmpty === false }

  /**
   * Acknowledges a post of this member once it is stored. Sends the acknowledgement with the message. Sends it immediately if
   * the message was sent already, or may never be sent. MUST be called for each post.
   * @param id of the post, chosen by the client; empty for none
   * @param onRejected called if the post was not stored
   */
  addPost (stored: Promise<Appended>, id: string, onRejected: (error: unknown) => void): void {
    const requester = this.#requester
    const { epoch } = requester
    const posts = this.#posts ??= new UndeliveredRequests(requester.connection.writer)
    posts.add()
    stored.then((appended) => {
      const { offset, position, again } = appended
      const ack = requester.format.ack(requester.room, id, this.#positions?.of({ offset, position }) ?? position)
      posts.settle(offset, id, ack, !again && offset > requester.offset && requester.epoch === epoch && !requester.hasEnded)
      requester.posted(appended)
    }, (error: unknown) => {
      onRejected(error)
      posts.refuse()
    })
  }

  /**
   * Acknowledges a change that this member has made, once it is stored. Sends the acknowledgement with the change, or immediately,
   * as `addPost` does. MUST be called for each change.
   * @param id of the request, chosen by the client
   * @param position of the changed entry
   * @param onRejected called if nothing was changed
   */
  addChange (stored: Promise<Amended>, id: string, position: Position, onRejected: (error: unknown) => void): void {
    const requester = this.#requester
    const { epoch } = requester
    const changes = this.#changes ??= new UndeliveredRequests(requester.connection.writer)
    changes.add()
    stored.then(({ number, revision, again }) => {
      const ack = requester.format.ack(requester.room, id, position, revision)
      changes.settle(number, id, ack, !again && number > requester.change && requester.epoch === epoch && !requester.hasEnded)
    }, (error: unknown) => {
      onRejected(error)
      changes.refuse()
    })
  }

  /** Keeps the position on the wire of a message of the member. */
  keepPosition (entry: Entry): void { (this.#positions ??= new OwnPositions()).keep(entry) }

  /** @param position see `OwnPositions.resume` */
  resumeAfter (position: Position | undefined): void {
    if (position !== undefined) this.#positions ??= new OwnPositions()
    this.#positions?.resume(position)
  }

  /** Called when an epoch of the room ends. Sends all acknowledgements: their messages may never be sent. */
  endEpoch (): void {
    for (const ack of this.take(Infinity, Infinity) ?? []) this.#requester.connection.writer.reply(ack)
    this.#positions = undefined
  }

  /**
   * Removes and returns the acknowledgements of the entries and changes up to these numbers, those of posts with the position of their
   * message; undefined for none.
   */
  take (offset: number, change: number): readonly string[] | undefined {
    const positions = this.#positions
    const posts = this.#posts?.take(offset, positions && ((number, id) => {
      const position = positions.get(number)
      return position && this.#requester.format.ack(this.#requester.room, id, position)
    }))
    const changes = this.#changes?.take(change)
    return posts === undefined || changes === undefined ? posts ?? changes : [...posts, ...changes]
  }

  /** See `Membership.delivered`. */
  delivered (): Promise<unknown> | undefined {
    const posts = this.#posts?.delivered()
    const changes = this.#changes?.delivered()
    return posts === undefined || changes === undefined ? posts ?? changes : Promise.all([posts, changes])
  }
}
