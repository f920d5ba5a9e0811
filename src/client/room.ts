import type { Message } from '../messages.ts'
import type { ServerMessage } from '../protocol.ts'
import { rejected } from './deferred.ts'
import { Emitter } from './emitter.ts'
import { ChatError } from './error.ts'
import { Iteration } from './iteration.ts'

type Of<Type extends ServerMessage['type']> = Extract<ServerMessage, { type: Type }>
export type Joined = Of<'joined'>
/** id: the same for all connections of one member. name: empty for someone who gave none. */
export type Identity = Joined['members'][number]
/** messages: oldest first. more: there are older ones. complete: false when the place asked about is not known any more. */
export type HistoryPage = Pick<Of<'history'>, 'messages' | 'more' | 'complete'>

export interface RoomEvents {
  /**
   * The room is joined: at first, and again after each reconnect (`again`), or when the server lost its history. complete:
   * `messages` are what was missed, or the first part of it, and `message` events bring the rest; otherwise they are
   * the newest, and what you have from before may have holes: throw it away. It is not complete, and without messages,
   * where more came before the first listener than is kept.
   */
  joined: Joined & { readonly again: boolean }
  message: Message
  /** Someone came or went; `room.members` and `room.count` are as it says. */
  presence: Pick<Of<'presence'>, 'joined' | 'left' | 'count' | 'stale'>
  typing: Identity
  /**
   * The server lets it in no more, and why, `closed` where it closed the client: nothing more will come. Not after
   * `leave()` and `close()`.
   */
  left: ChatError
}

/** What a room asks of its client. */
export interface RoomLink {
  post (text: string, data: unknown): Promise<string>
  history (before: string, limit: number): Promise<HistoryPage>
  typing (): void
  leave (): void
}

type Incoming =
  | Of<'message' | 'presence' | 'typing'>
  | RoomEvents['joined']
  /** In place of events that were too many to be kept. */
  | { readonly type: 'gap', readonly joined: RoomEvents['joined'] }
  | { readonly type: 'end', readonly error: ChatError }

/** Events that are kept for the first listener. */
const HELD = 1_000

/**
 * One room, joined: what is said in it, who is in it, and a way to speak. Nothing is lost between `join()` and the first
 * listener or iteration: what comes meanwhile, the end too, is kept for it, and for all that are there by the end of its
 * turn; only `typing` is not. Where it is more than 1,000 events, a `joined` that isn't complete comes in their place.
 */
export class ClientRoom extends Emitter<RoomEvents> implements AsyncIterable<Message> {
  readonly name: string
  /** Who is here, by id; no more than the server lists. */
  readonly members = new Map<string, Identity>()
  /** How many are here, listed or not. */
  count = 0
  /** Whether the server can't vouch for who is here at the moment: it has lost touch with the other nodes. */
  stale = false
  /**
   * The place up to which everything was received; a slow loop may not be there yet. To go on in a later client, keep that
   * of the last message you handled.
   */
  position: string | undefined
  readonly #link: RoomLink
  readonly #resumed: boolean
  readonly #iterations = new Set<Iteration>()
  #held: Incoming[] | undefined = []
  #ended: ChatError | undefined
  /** Whether it was this side that ended it: that is nothing to be told of. */
  #own = false

  constructor (name: string, position: string | undefined, link: RoomLink) {
    super()
    this.name = name
    this.position = position
    this.#link = link
    this.#resumed = position !== undefined
  }

  override on<Name extends keyof RoomEvents> (name: Name, listener: (event: RoomEvents[Name]) => void): () => void {
    this.#release()
    return super.on(name, listener)
  }

  /**
   * Says something; resolves with its position once it is stored. Sent again by itself after a broken connection, and
   * stored once. Posts of a room are stored in their order, but for those that were under way when the server
   * could not store one before them. Rejects with a ChatError: what the server refused it for (`stale_post` when it can't
   * tell any more whether it was stored, `unknown` when the room was left before it was told), `overflow` when too
   * many wait already, `too_large`, `left` or `closed`; with a TypeError for data that is no JSON.
   * @param data JSON of the app's own; the server may have a schema for it
   */
  post (text: string, data?: unknown): Promise<string> {
    return this.#ended === undefined ? this.#link.post(text, data) : rejected(this.#ended)
  }

  /** Tells the others that someone is typing; once a second or so is enough. While offline, nobody hears it. */
  typing (): void { this.#link.typing() }

  /**
   * A page of older messages. Rejects with a ChatError: what the server refused it for, `offline` where it is not
   * connected or the connection breaks, `left` or `closed`.
   * @param before a message's position: those before it
   * @param limit messages, at most; the server may give less
   */
  history (before: string, limit = 50): Promise<HistoryPage> {
    return this.#ended === undefined ? this.#link.history(before, limit) : rejected(this.#ended)
  }

  /**
   * Leaves it for good; `join()` gives another room object. Posts that were not sent yet reject with `left`; those that
   * were are settled by the server's answer, or with `unknown` if the connection breaks before.
   */
  leave (): void {
    if (this.#ended === undefined) this.#link.leave()
    else this.end(this.#ended, true)
  }

  /**
   * Messages from now on, those missed while away among them; after a `joined` that isn't complete, those it has. Ends
   * when the room is left or the client closed; throws a ChatError when the server lets it in no more, or `overflow`
   * when the loop is 10,000 messages behind, or when not all could be kept that came before it.
   */
  [Symbol.asyncIterator] (): AsyncIterableIterator<Message> {
    const iteration: Iteration = new Iteration(() => this.#iterations.delete(iteration))
    this.#iterations.add(iteration)
    if (this.#ended !== undefined && !this.#held?.length) this.#finish()
    this.#release()
    return iteration
  }

  /** For the client. */
  receive (message: Of<'joined' | 'message' | 'presence' | 'typing'>): void {
    const incoming = message.type === 'joined' ? { ...message, again: this.position !== undefined } : message
    this.#update(message)
    if (this.#held === undefined) this.#tell(incoming)
    else if (message.type !== 'typing' && this.#held.push(incoming) > HELD) this.#held = [this.#gap()]
  }

  /** For the client: nothing more will come. @param own whether by `leave()` or `close()` */
  end (error: ChatError, own: boolean): void {
    this.#ended = error
    this.#own = own
    if (own) {
      this.#held = undefined
      this.forget()
      this.#finish()
    } else if (this.#held === undefined) {
      this.#tell({ type: 'end', error })
    } else {
      this.#held.push({ type: 'end', error })
    }
  }

  /** Later in this turn, when all listeners are there. */
  #release (): void {
    if (this.#held === undefined) return
    queueMicrotask(() => {
      // A listener may end it.
      for (let next = this.#held?.shift(); next !== undefined; next = this.#held?.shift()) this.#tell(next)
      this.#held = undefined
    })
  }

  #gap (): Incoming {
    const { name: room, count, stale, position = '' } = this
    const now = { room, members: [...this.members.values()], count, ...stale && { stale }, position }
    return { type: 'gap', joined: { type: 'joined', ...now, messages: [], complete: false, again: this.#resumed } }
  }

  #update (message: Of<'joined' | 'message' | 'presence' | 'typing'>): void {
    switch (message.type) {
      case 'joined':
        this.position = message.position
        this.members.clear()
        for (const member of message.members) this.members.set(member.id, member)
        this.count = message.count
        this.stale = message.stale === true
        break
      case 'message':
        this.position = message.position
        break
      case 'presence':
        for (const { id } of message.left) this.members.delete(id)
        for (const member of message.joined) this.members.set(member.id, member)
        this.count = message.count
        this.stale = message.stale === true
    }
  }

  #tell (incoming: Incoming): void {
    switch (incoming.type) {
      case 'joined':
        this.emit('joined', incoming)
        if (incoming.again) for (const missed of incoming.messages) this.#iterate(missed)
        break
      case 'message':
        this.emit('message', incoming)
        this.#iterate(incoming)
        break
      case 'presence':
        this.emit('presence', incoming)
        break
      case 'typing':
        this.emit('typing', incoming.from)
        break
      case 'gap':
        this.#finish(new ChatError('overflow', `more than ${HELD} events came before the iteration began`))
        this.emit('joined', incoming.joined)
        break
      case 'end':
        this.#finish()
        this.emit('left', incoming.error)
    }
  }

  #iterate (message: Message): void {
    for (const iteration of this.#iterations) iteration.push(message)
  }

  #finish (error = this.#own ? undefined : this.#ended): void {
    for (const iteration of this.#iterations) iteration.end(error)
  }
}
