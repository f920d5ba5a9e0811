import { randomBytes } from 'node:crypto'
import type { Channel, CloseEvent } from './channel.ts'
import { Violation, equal, show } from './assertions.ts'
import { faultOf } from './shape.ts'

export interface Member { readonly id: string, readonly name: string }

export interface Message {
  readonly room: string
  readonly position: string
  readonly at: string
  readonly from: Member | null
  readonly text?: string
  readonly bytes?: string
  readonly data?: unknown
  readonly revision?: string
  readonly editedAt?: string
  readonly deleted?: true
  readonly streaming?: true
  readonly unfinished?: true
  readonly reactions?: readonly Reaction[]
}

export interface Reaction { readonly reaction: string, readonly count: number, readonly mine?: boolean }

/** A change of the message at its position. */
export interface Change {
  readonly position: string
  readonly revision: string
  readonly text?: string
  readonly data?: unknown
  readonly editedAt?: string
  readonly deleted?: true
  readonly reactions?: readonly Reaction[]
  readonly whole?: true
}

/** Messages from the server by type, with the properties that the requirements read. */
export interface ServerMessages {
  welcome: { member: Member, session: string, limits: { payload?: number, rooms?: number, rate?: number, burst?: number, byteRate?: number, byteBurst?: number }, heartbeat: number, features?: string[] }
  joined: { room: string, members: Member[], count: number, messages: Message[], position: string, complete: boolean, revision?: string, changes?: Change[], oldest?: string, readPosition?: string, unread?: number }
  left: { room: string, code?: string, message?: string }
  message: Message
  changed: Change & { readonly room: string }
  ack: { id: string, room: string, position: string, revision?: string }
  history: { room: string, before?: string, after?: string, messages: Message[], more: boolean, complete: boolean, revision?: string }
  presence: { room: string, joined: Member[], left: Member[], count: number }
  typing: { room: string, from: Member, on?: boolean }
  signal: { room: string, from: Member, data: unknown }
  direct: { data: unknown }
  readPosition: { room: string, position: string }
  forgotten: { room: string }
  rooms: { id: string, rooms: Array<{ room: string, unread: number, position: string, last?: Message }>, next?: string }
  pong: { id: string }
  error: { code: string, message: string, request?: string, id?: string, room?: string, retryAfter?: number }
}

/** A message of one of these types. */
export type MessageOf<Type extends keyof ServerMessages> = { [K in Type]: ServerMessages[K] & { readonly type: K } }[Type]

/** Types of messages that may arrive at any time. */
const unsolicited = new Set(['presence', 'typing', 'signal', 'direct', 'readPosition', 'forgotten', 'draining'])

const known = new Set(['welcome', 'joined', 'left', 'message', 'changed', 'ack', 'history', 'presence', 'typing', 'signal', 'direct', 'readPosition', 'forgotten', 'rooms', 'pong', 'error', 'draining'])

/** The properties of `hello`. */
export interface Hello { readonly session?: string, readonly name?: string, readonly token?: string, readonly changes?: true }

export function newId (): string { return randomBytes(16).toString('hex') }

/** A client of fastify-chat.v1. It sends nothing automatically. */
export class Client {
  readonly channel: Channel

  constructor (channel: Channel) {
    this.channel = channel
  }

  send (message: object): void { this.channel.socket.send(JSON.stringify(message)) }

  /** Resolves with the next message. Rejects with a Violation if it has another type. */
  async receive<Type extends keyof ServerMessages> (type: Type): Promise<ServerMessages[Type]> {
    return await this.receiveOneOf(type) as ServerMessages[Type]
  }

  /**
   * Resolves with the next message. Rejects with a Violation if it has none of these types. Skips messages that may arrive
   * at any time, and types that PROTOCOL.md doesn't define.
   */
  async receiveOneOf<Type extends keyof ServerMessages> (...types: Type[]): Promise<MessageOf<Type>> {
    const expected = types.map((type) => `'${type}'`).join(' or ')
    for (;;) {
      const message = await this.#next(expected)
      const type = String(message['type'])
      if (types.includes(type as Type)) return message as unknown as MessageOf<Type>
      if (!unsolicited.has(type) && known.has(type)) throw new Violation(`expected ${expected}, received ${show(message)}`)
    }
  }

  /** Resolves with the next message. Rejects with a Violation if it isn't an error with this code. */
  async receiveError (code: string): Promise<ServerMessages['error']> {
    const error = await this.receive('error')
    equal(error.code, code, `code of the error (${error.message})`)
    return error
  }

  /** Rejects with a Violation if a message was sent, except one that may arrive at any time. */
  async receiveNothing (): Promise<void> {
    // The first pong may overtake a message in flight.
    for (const id of [newId(), newId()]) {
      this.send({ type: 'ping', id })
      equal((await this.receive('pong')).id, id, 'id of the pong')
    }
  }

  /** Resolves after the time in which the rate limit permits a number of requests. */
  async waitForRate ({ limits: { rate = Infinity } }: ServerMessages['welcome'], requests: number): Promise<void> {
    if (rate < Infinity) await new Promise((resolve) => setTimeout(resolve, requests * 1_000 / rate))
  }

  async hello (hello: Hello = {}): Promise<ServerMessages['welcome']> {
    this.send({ type: 'hello', ...hello })
    return await this.receive('welcome')
  }

  async join (room: string, options: { after?: string | undefined, revision?: string | undefined, history?: number } = {}): Promise<ServerMessages['joined']> {
    this.send({ type: 'join', room, ...options })
    return await this.receive('joined')
  }

  /** Posts a text. Resolves with the message when the message and its ack have arrived. */
  async post (room: string, text: string, rest: object = {}): Promise<Message> {
    const id = newId()
    this.send({ type: 'post', room, id, text, ...rest })
    const message = await this.receive('message')
    equal({ room: message.room, text: message.text }, { room, text }, 'the message of the post')
    equal(await this.receive('ack').then(({ id, position }) => ({ id, position })), { id, position: message.position }, 'the ack of the post')
    return message
  }

  /** Requests a change. Resolves with it and its ack when both have arrived. */
  async change (request: { type: 'edit' | 'delete' | 'react', room: string, position: string } & Record<string, unknown>): Promise<ServerMessages['changed']> {
    const id = newId()
    this.send({ ...request, id })
    const { room, position } = request
    const changed = await this.receive('changed')
    equal({ room: changed.room, position: changed.position }, { room, position }, 'the message of the change')
    const ack = await this.receive('ack')
    equal({ id: ack.id, room: ack.room, position: ack.position, revision: ack.revision }, { id, room, position, revision: changed.revision }, 'the ack of the change')
    return changed
  }

  /** Resolves with `count` messages: the messages of `joined`, and the messages that follow. */
  async receiveMessages (joined: ServerMessages['joined'], count: number): Promise<Message[]> {
    const messages = [...joined.messages]
    while (messages.length < count) messages.push(await this.receive('message'))
    return messages
  }

  closed (timeout?: number): Promise<CloseEvent> { return this.channel.closed(timeout) }

  terminate (): void { this.channel.terminate() }

  async #next (expected: string): Promise<Record<string, unknown>> {
    const frame = await this.channel.next(expected)
    if (typeof frame !== 'string') throw new Violation('received a binary frame')
    let message: unknown
    try {
      message = JSON.parse(frame)
    } catch {
      throw new Violation(`received invalid JSON: ${show(frame)}`)
    }
    if (typeof message !== 'object' || message === null || Array.isArray(message)) throw new Violation(`received JSON that isn't an object: ${show(message)}`)
    const fault = faultOf(message as Record<string, unknown>)
    if (fault !== undefined) throw new Violation(`${fault}: ${show(message)}`)
    return message as Record<string, unknown>
  }
}
