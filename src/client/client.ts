import type { ClientTypes, DataOf, MemberDataOf } from './app-data.ts'
import { clientCore } from './client-core.ts'
import type { ChatClientEvents, EmitClientEvent } from './client-events.ts'
import { promised } from './deferred.ts'
import { dispose } from './dispose.ts'
import { Emitter } from './emitter.ts'
import { ChatError, offline } from './error.ts'
import type { JoinOptions } from './room/memberships.ts'
import { withDefaults, type ChatClientOptions } from './options.ts'
import { reconnector, type Reconnector } from './connection/reconnector.ts'
import type { ClientRoom } from './room/room.ts'
import type { Member, UnreadRoom } from './room-events.ts'
import { NORMAL, connectSocket } from './connection/socket.ts'
import { socketUrl } from './connection/socket-url.ts'
import type { Status } from './status.ts'

/**
 * A chat client. After a reconnect it joins its rooms again and repeats the posts and changes that were not acknowledged.
 * Types: of the app's data, such as `ChatClient<{ data: Attachment, memberData: Profile }>`. They are not checked at runtime.
 */
export class ChatClient<Types extends ClientTypes = ClientTypes> extends Emitter<ChatClientEvents<Types>> {
  readonly #reconnector: Reconnector
  readonly #core: ReturnType<typeof clientCore>

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
    const emit: EmitClientEvent = (name, event) => this.emit(name, event as never)
    const core = this.#core = clientCore(settings, (json) => this.#reconnector.send(json), emit)
    this.#reconnector = reconnector(settings.connect === connectSocket ? socketUrl(url) : url, settings, {
      ...core,
      emit,
      onEnd: (code, reason) => {
        core.end(new ChatError('closed', `closed with code ${code}${reason && `: ${reason}`}`), code === NORMAL)
      }
    })
  }

  /** The current status. Each change emits `status`, in order. */
  get status (): Status<MemberDataOf<Types>> { return this.#reconnector.status as Status<MemberDataOf<Types>> }

  /** This client's member, as the server named it last; undefined before the first connection. */
  get member (): Member<MemberDataOf<Types>> | undefined { return this.#core.server.welcome?.member as Member<MemberDataOf<Types>> | undefined }

  /** What the server supports besides posts: `changes`, `signals`, `readPositions`, `history-after`. Empty before the first connection. */
  get features (): readonly string[] { return this.#core.server.welcome?.features ?? [] }

  /**
   * Joins a room as soon as the client is connected, and again after each reconnect. While the room is joined or being joined,
   * returns the same promise and ignores the options. Retries after a retryable error. Rejects with a ChatError. Its code is the
   * error code of the server, `invalid` for a wrong argument, `left` if the room is left before it is joined, or `closed`.
   */
  join (name: string, options: JoinOptions = {}): Promise<ClientRoom<Types>> {
    return this.#core.memberships.join(name, options) as Promise<ClientRoom<Types>>
  }

  /** Leaves a room, like `ClientRoom.leave()`. A pending join rejects with `left`. */
  leave (name: string): void { this.#core.memberships.leave(name) }

  /**
   * Iterates over the rooms in which the member has a read position, in the order of their names. The rooms are requested in pages, as
   * the loop proceeds. Waits while the client is offline. Throws a ChatError. Its code is the error code of the server, `unsupported` if
   * the server has no read positions, or `closed`.
   */
  rooms (): AsyncGenerator<UnreadRoom<DataOf<Types>>, void, undefined> {
    return this.#core.reads.rooms() as AsyncGenerator<UnreadRoom<DataOf<Types>>, void, undefined>
  }

  /**
   * Removes the read position of the member in a room, whether the room is joined or not. `rooms()` then leaves the room out, until the
   * member marks it or posts in it again. Returns whether the request was sent: `false` while the client is offline or the server's rate limit is
   * reached.
   * @throws ChatError with `invalid`, or, if the server has no read positions, `unsupported`
   */
  forget (room: string): boolean { return this.#core.reads.forget(room) }

  /** Reconnects immediately if the client is waiting for the next attempt. */
  reconnect (): void { this.#reconnector.reconnect() }

  /**
   * Resolves with the ms until the answer of the server. Without an answer within 2 s, the connection ends and the client reconnects. Call
   * it when the network may have changed and the environment has no event for that. Rejects with `offline`, or with `closed`.
   */
  ping (): Promise<number> {
    return promised(async (pong) => {
      const ms = await this.#reconnector.ping()
      if (ms === undefined) pong.reject(this.#core.server.ended ?? offline())
      else pong.resolve(ms)
    })
  }

  /** Closes the client permanently. Pending promises reject with `closed`, and iterations end. */
  close (): void {
    this.#core.reads.send()
    this.#reconnector.close()
  }

  /** Closes the client, like `close()`, at the end of a block with `using`. */
  [dispose] (): void { this.close() }
}
