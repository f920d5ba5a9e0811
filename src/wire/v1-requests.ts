import type { ClientMessage, ServerMessage } from '../messages.ts'
import type { Peer } from '../rooms/peer/peer.ts'
import { changeRequest, type ChangeMessage } from './v1-change-request.ts'
import type { HistoryRequest, V1Encoding } from './v1-encode.ts'

/** A message that only an admitted member may send. */
export type MemberRequest = Exclude<ClientMessage, { type: 'hello' | 'ping' }>

type Request<Type extends MemberRequest['type']> = Extract<MemberRequest, { type: Type }>

/** Shared by the requests of all connections of one route. */
export interface V1RequestsContext {
  /** number of entries for a `join` without `history` */
  readonly history: number
  /** @throws InvalidData */
  readonly checkData: (data: unknown) => void
}

/** The handler of the connection. */
export interface RequestOwner {
  /** Called with a request that failed after it was submitted. */
  answerError (message: MemberRequest, error: unknown): void
}

/** Bytes of content in one page of history. */
const PAGE_BYTES = 64 * 1024

/** Applies the requests of one member on one connection, and encodes the answers. */
export class V1Requests {
  readonly peer: Peer
  readonly #encoding: V1Encoding
  readonly #context: V1RequestsContext
  readonly #owner: RequestOwner

  constructor (peer: Peer, encoding: V1Encoding, context: V1RequestsContext, owner: RequestOwner) {
    this.peer = peer
    this.#encoding = encoding
    this.#context = context
    this.#owner = owner
  }

  /**
   * Applies a request. Throws or rejects as the peer does.
   * @param data of the message, as JSON text
   */
  handle (message: MemberRequest, data: string | undefined): void | Promise<void> {
    const { peer } = this
    switch (message.type) {
      case 'join': return this.#join(message)
      case 'leave':
        peer.leave(message.room)
        return this.#reply(JSON.stringify({ type: 'left', room: message.room } satisfies ServerMessage))
      case 'post': return this.#post(message, data)
      case 'edit':
      case 'delete':
      case 'react': return this.#change(message, data)
      case 'typing': return peer.typing(message.room, message.on !== false)
      case 'signal': return peer.signal(message.room, data!)
      case 'history': return this.#page(message)
      case 'markRead': return peer.reads.mark(message.room, message.position, message.again === true)
      case 'rooms': return this.#rooms(message)
      case 'forget': return peer.reads.forget(message.room)
    }
  }

  async #join ({ room, after, revision, history: limit = this.#context.history }: Request<'join'>): Promise<void> {
    await this.peer.join(room, { format: this.#encoding.format, includeSender: true, after, revision, limit, maxBytes: PAGE_BYTES })
  }

  #post (message: Request<'post'>, json: string | undefined): Promise<void> | undefined {
    const { room, id, text, data, since } = message
    if (data !== undefined) this.#context.checkData(data)
    const { membership, submitted, stored } = this.peer.post({ room, id, body: text, data, json, since })
    membership.acknowledgements.addPost(stored, id, (error) => this.#owner.answerError(message, error))
    return submitted
  }

  #change (message: ChangeMessage, json: string | undefined): Promise<void> | undefined {
    if (message.type === 'edit' && message.data !== undefined) this.#context.checkData(message.data)
    const { membership, submitted, stored } = this.peer.change(changeRequest(message, json))
    membership.acknowledgements.addChange(stored, message.id, message.position, (error) => this.#owner.answerError(message, error))
    return submitted
  }

  async #page (request: HistoryRequest): Promise<void> {
    await this.peer.history(request.room, { ...request, maxBytes: PAGE_BYTES }, (page) => this.#reply(this.#encoding.history(request, page)))
  }

  async #rooms ({ id, after }: Request<'rooms'>): Promise<void> {
    await this.peer.reads.rooms(after, this.#encoding.format.change && this.peer.member.id, (page) => this.#reply(this.#encoding.rooms(id, page)))
  }

  #reply (json: string): void { this.peer.connection.writer.reply(json) }
}
