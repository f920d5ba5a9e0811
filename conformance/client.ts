import { randomBytes } from 'node:crypto'
import type { Channel, Ending } from './channel.ts'
import { Violation, same, show } from './requirement.ts'
import { faultOf } from './shape.ts'

export interface Identity { readonly id: string, readonly name: string }

export interface Message {
  readonly room: string
  readonly position: string
  readonly at: string
  readonly from: Identity | null
  readonly text?: string
  readonly bytes?: string
  readonly data?: unknown
}

/** What a server says, as far as the requirements look at it. */
export interface Said {
  welcome: { member: Identity, session: string, limits: { payload?: number, rooms?: number, rate?: number, burst?: number, byteRate?: number, byteBurst?: number }, heartbeat: number }
  joined: { room: string, members: Identity[], count: number, messages: Message[], position: string, complete: boolean }
  left: { room: string }
  message: Message
  ack: { id: string, room: string, position: string }
  history: { room: string, before: string, messages: Message[], more: boolean, complete: boolean }
  presence: { room: string, joined: Identity[], left: Identity[], count: number }
  typing: { room: string, from: Identity }
  pong: { id: string }
  error: { code: string, message: string, request?: string, id?: string, room?: string, retryAfter?: number }
}

/** One message of one of these types. */
export type Heard<Type extends keyof Said> = { [K in Type]: Said[K] & { readonly type: K } }[Type]

/** These come when they like. */
const unasked = new Set(['presence', 'typing', 'draining'])

const known = new Set(['welcome', 'joined', 'left', 'message', 'ack', 'history', 'presence', 'typing', 'pong', 'error', 'draining'])

export function newId (): string { return randomBytes(16).toString('hex') }

/** A client of fastify-chat.v1 that does only what it is told. */
export class Client {
  readonly channel: Channel

  constructor (channel: Channel) {
    this.channel = channel
  }

  say (message: object): void { this.channel.socket.send(JSON.stringify(message)) }

  /** The next message, which must be of this type. */
  async hear<Type extends keyof Said> (type: Type): Promise<Said[Type]> {
    return await this.hearOneOf(type) as Said[Type]
  }

  /**
   * The next message, which must be of one of these types. Passed over are those that may come at any time, and types
   * that PROTOCOL.md doesn't know.
   */
  async hearOneOf<Type extends keyof Said> (...types: Type[]): Promise<Heard<Type>> {
    const wanted = types.map((type) => `'${type}'`).join(' or ')
    for (;;) {
      const message = await this.#next(wanted)
      const type = String(message['type'])
      if (types.includes(type as Type)) return message as unknown as Heard<Type>
      if (!unasked.has(type) && known.has(type)) throw new Violation(`${wanted} was awaited, and this came: ${show(message)}`)
    }
  }

  /** An error of this code. */
  async hearError (code: string): Promise<Said['error']> {
    const error = await this.hear('error')
    same(error.code, code, `the code of an error (${error.message})`)
    return error
  }

  /** Passes only when nothing is left to be heard but what may come at any time. */
  async hearNothing (): Promise<void> {
    // The first pong may overtake a message that is on its way.
    for (const id of [newId(), newId()]) {
      this.say({ type: 'ping', id })
      same((await this.hear('pong')).id, id, 'the id of a pong')
    }
  }

  /** For requirements that ask much: waits until so many requests more can't be too many. */
  async pace ({ limits: { rate = Infinity } }: Said['welcome'], requests: number): Promise<void> {
    if (rate < Infinity) await new Promise((resolve) => setTimeout(resolve, requests * 1_000 / rate))
  }

  async hello (hello: { session?: string, name?: string, token?: string } = {}): Promise<Said['welcome']> {
    this.say({ type: 'hello', ...hello })
    return await this.hear('welcome')
  }

  async join (room: string, options: { after?: string, history?: number } = {}): Promise<Said['joined']> {
    this.say({ type: 'join', room, ...options })
    return await this.hear('joined')
  }

  /** Posts and waits for the own message and its acknowledgement. */
  async post (room: string, text: string, rest: object = {}): Promise<Message> {
    const id = newId()
    this.say({ type: 'post', room, id, text, ...rest })
    const message = await this.hear('message')
    same({ room: message.room, text: message.text }, { room, text }, 'the message that a post becomes')
    same(await this.hear('ack').then(({ id, position }) => ({ id, position })), { id, position: message.position }, 'its ack')
    return message
  }

  /** What a client has after joining: at once and as messages, until there are so many. */
  async gather (joined: Said['joined'], many: number): Promise<Message[]> {
    const messages = [...joined.messages]
    while (messages.length < many) messages.push(await this.hear('message'))
    return messages
  }

  ended (timeout?: number): Promise<Ending> { return this.channel.ended(timeout) }

  cut (): void { this.channel.cut() }

  async #next (wanted: string): Promise<Record<string, unknown>> {
    const frame = await this.channel.next(wanted)
    if (typeof frame !== 'string') throw new Violation('a binary frame came')
    let message: unknown
    try {
      message = JSON.parse(frame)
    } catch {
      throw new Violation(`this is not JSON: ${show(frame)}`)
    }
    if (typeof message !== 'object' || message === null || Array.isArray(message)) throw new Violation(`this is no JSON object: ${show(message)}`)
    const fault = faultOf(message as Record<string, unknown>)
    if (fault !== undefined) throw new Violation(`${fault}: ${show(message)}`)
    return message as Record<string, unknown>
  }
}
