import { PAGE_COST, type ClientMessage } from '../protocol.ts'
import type { ClientTypes, DataOf, MemberDataOf } from './app-data.ts'
import { NORMAL } from './connection.ts'
import { Deferred, rejected } from './deferred.ts'
import { dispose } from './dispose.ts'
import { Emitter } from './emitter.ts'
import { ChatError } from './error.ts'
import { HistoryRequests } from './history-requests.ts'
import { Memberships, type JoinOptions } from './memberships.ts'
import { withDefaults, type ChatClientOptions } from './options.ts'
import { PendingRequests } from './pending-requests.ts'
import { RateLimiter } from './rate-limiter.ts'
import { ReadPositions } from './read-positions.ts'
import { Reconnector, type Welcome } from './reconnector.ts'
import { RequestQueue } from './request-queue.ts'
import type { ClientRoom } from './room.ts'
import type { Direct, Member, UnreadRoom } from './room-events.ts'
import type { RestoredPost } from './saved-posts.ts'
import { receiver } from './server-messages.ts'
import { Signals } from './signals.ts'
import { connectSocket } from './socket.ts'
import { socketUrl } from './socket-url.ts'
import type { Status } from './status.ts'

export interface ChatClientEvents<Types extends ClientTypes = ClientTypes> {
  status: Status<MemberDataOf<Types>>
  /**
   * An error from the server that rejects no promise, or the first error of `savedPosts`. Its code is `handshake` if the server refuses the
   * client, or its answer isn't that of a chat: emitted once, until the client is online again.
   */
  error: ChatError
  /** A saved post of an earlier client waits for acknowledgement, because its room was joined. Emitted once for each post. */
  restored: RestoredPost<DataOf<Types>>
  /** Data that the app has sent to this member. Not delivered later if the client is offline. */
  direct: Direct
}

/**
 * A chat client. After a reconnect it joins its rooms again and repeats the posts and changes that were not acknowledged.
 * Types: of the app's data, such as `ChatClient<{ data: Attachment, memberData: Profile }>`. They are not checked at runtime.
 */
export class ChatClient<Types extends ClientTypes = ClientTypes> extends Emitter<ChatClientEvents<Types>> {
  readonly #reconnector: Reconnector
  readonly #requests: PendingRequests
  readonly #history: HistoryRequests
  readonly #memberships: Memberships
  readonly #rateLimiter = new RateLimiter()
  readonly #signals = new Signals((json) => this.#reconnector.send(json), this.#rateLimiter)
  readonly #reads = new ReadPositions(
    (json) => this.#reconnector.send(json), (room) => this.#memberships.joinedRoom(room) !== undefined, this.#rateLimiter)

  #member: Member | undefined
  #closed: ChatError | undefined
  #features: readonly string[] = []
  /** Joins of this connection that still count as one request each. */
  #cheapJoins = Infinity

  /**
   * Connects, and reconnects until `close()` is called or the server closes with a terminal code. Reconnects or checks the
   * connection at events of the network and of the page, where the environment has them.
   * @param url of the chat route, such as wss://example.com/chat; in a page also '/chat'. `http:` means `ws:`. With the option `connect`,
   * any string
   * @throws TypeError or RangeError for a wrong URL or option
   */
  constructor (url: string, options: ChatClientOptions = {}) {
    super(['status', 'error', 'restored', 'direct'])
    const settings = withDefaults(options)
    this.#history = new HistoryRequests((message) => this.#reconnector.send(message), this.#rateLimiter, settings.backoff())
    const queue = new RequestQueue(settings.queue)
    this.#requests = new PendingRequests(queue, {
      joinedRoom: (room) => this.#memberships.joinedRoom(room),
      includes: (room) => this.#memberships.includes(room),
      send: (json) => this.#reconnector.send(json),
      onRestored: (restored) => {
        this.#memberships.joinedRoom(restored.room)?.onPost(restored)
        this.emit('restored', restored as RestoredPost<DataOf<Types>>)
      },
      onNotSaved: (error) => this.emit('error', error)
    }, settings.backoff(), this.#rateLimiter, settings.savedPosts)
    const services = { requests: this.#requests, queue, history: this.#history, signals: this.#signals, reads: this.#reads }
    this.#memberships = new Memberships({
      send: (message) => {
        const json = JSON.stringify(message)
        this.#rateLimiter.schedule(this.#costOf(message), json.length, () => this.#reconnector.send(json))
      },
      onJoined: (room) => this.#requests.onJoined(room),
      onLeft: (room, error) => {
        this.#requests.onLeft(room, error)
        this.#reads.onLeft(room)
        this.#history.onLeft(room, error)
      }
    }, services, settings.backoff)
    const target = settings.connect === connectSocket ? socketUrl(url) : url
    this.#reconnector = new Reconnector(target, settings, {
      onStatus: (status) => this.emit('status', status as Status<MemberDataOf<Types>>),
      onWelcome: (welcome) => this.#onWelcome(welcome),
      onMessage: receiver({ ...services, memberships: this.#memberships }, {
        onDirect: (direct) => this.emit('direct', direct),
        onError: (error) => this.emit('error', error)
      }),
      onError: (error) => this.emit('error', error),
      onDisconnect: () => this.#onDisconnect(),
      onEnd: (code, reason) => {
        this.#onEnd(new ChatError('closed', `closed with code ${code}${reason && `: ${reason}`}`), code === NORMAL)
      }
    })
  }

  /** The current status. Each change emits `status`, in order. */
  get status (): Status<MemberDataOf<Types>> { return this.#reconnector.status as Status<MemberDataOf<Types>> }

  /** This client's member, as the server named it last; undefined before the first connection. */
  get member (): Member<MemberDataOf<Types>> | undefined { return this.#member as Member<MemberDataOf<Types>> | undefined }

  /** What the server supports besides posts: `changes`, `signals`, `readPositions`, `history-after`. Empty before the first connection. */
  get features (): readonly string[] { return this.#features }

  /**
   * Joins a room as soon as the client is connected, and again after each reconnect. Returns the same promise while the
   * room is joined or being joined. Retries after a retryable error. Rejects with a ChatError. Its code is the error code of the
   * server, `invalid` for a wrong argument, `left` if the room is left before it is joined, or `closed`.
   */
  join (name: string, options: JoinOptions = {}): Promise<ClientRoom<Types>> {
    return this.#closed === undefined ? this.#memberships.join(name, options) as Promise<ClientRoom<Types>> : rejected(this.#closed)
  }

  /** Leaves a room, like `ClientRoom.leave()`. A pending join rejects with `left`. */
  leave (name: string): void { this.#memberships.leave(name) }

  /**
   * Iterates over the rooms in which the member has a read position, in the order of their names. The rooms are requested in pages, as
   * the loop proceeds. Waits while the client is offline. Throws a ChatError. Its code is the error code of the server, `unsupported` if
   * the server has no read positions, or `closed`.
   */
  rooms (): AsyncGenerator<UnreadRoom<DataOf<Types>>, void, undefined> {
    return this.#reads.rooms() as AsyncGenerator<UnreadRoom<DataOf<Types>>, void, undefined>
  }

  /**
   * Removes the read position of the member in a room, whether the room is joined or not. `rooms()` then leaves the room out, until the
   * member marks it or posts in it again. Returns whether the request was sent: `false` while the client is offline or the server's rate limit is
   * reached.
   * @throws ChatError with `invalid`, or, if the server has no read positions, `unsupported`
   */
  forget (room: string): boolean { return this.#reads.forget(room) }

  /** Reconnects immediately if the client is waiting for the next attempt. */
  reconnect (): void { this.#reconnector.reconnect() }

  /**
   * Resolves with the ms until the answer of the server. Without an answer within 2 s, the connection ends and the client reconnects. Call
   * it when the network may have changed and the environment has no event for that. Rejects with `offline`, or with `closed`.
   */
  ping (): Promise<number> {
    const pong = new Deferred<number>()
    void Promise.resolve(this.#reconnector.ping()).then((ms) => {
      if (ms === undefined) pong.reject(this.#closed ?? new ChatError('offline', 'ping requires a connection'))
      else pong.resolve(ms)
    })
    return pong.promise
  }

  /** Closes the client permanently. Pending promises reject with `closed`, and iterations end. */
  close (): void {
    this.#reads.send()
    this.#reconnector.close()
  }

  /** Closes the client, like `close()`, at the end of a block with `using`. */
  [dispose] (): void { this.close() }

  #onWelcome ({ member, limits, features = [] }: Welcome): void {
    if (this.#member !== undefined && this.#member.id !== member.id) this.#requests.onMemberChange()
    this.#member = member
    this.#features = features
    this.#rateLimiter.reset(limits)
    this.#cheapJoins = limits.rooms ?? Infinity
    this.#requests.onConnect(member.id, limits.payload, features.includes('changes'))
    this.#signals.onConnect(limits.payload, features.includes('signals'))
    this.#reads.onConnect(member.id, features.includes('readPositions'))
    this.#memberships.onConnect({ id: member.id, name: member.name }, features.includes('history-after'))
  }

  /** Returns the requests that a join or a leave counts as. */
  #costOf ({ type }: ClientMessage): number { return type === 'join' && --this.#cheapJoins < 0 ? PAGE_COST : 1 }

  #onDisconnect (): void {
    this.#rateLimiter.clear()
    this.#memberships.onDisconnect()
    this.#history.end(new ChatError('offline', 'the connection was lost'))
    this.#requests.onDisconnect()
  }

  /** @param own whether `close()` ended the client */
  #onEnd (error: ChatError, own: boolean): void {
    this.#closed = error
    this.#rateLimiter.clear()
    this.#requests.end(error)
    this.#history.end(error)
    this.#reads.end(error)
    this.#memberships.end(error, own)
  }
}
