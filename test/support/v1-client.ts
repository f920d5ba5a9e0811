import { Compile } from 'typebox/compile'
import type { WebSocket } from 'ws'
import { serverMessages } from '../../src/messages.ts'
import type { ServerMessage } from '../../src/protocol.ts'
import type { Client } from './websocket-client.ts'

export const protocol = 'fastify-chat.v1'

type Type = ServerMessage['type']
export type Message<T extends Type = Type> = Extract<ServerMessage, { type: T }>

const schemas = new Map(Object.entries(serverMessages).map(([type, schema]) => [type, Compile(schema)]))

function parse (frame: string | Buffer): Message {
  if (typeof frame !== 'string') throw new Error('a binary frame')
  const message = JSON.parse(frame) as Message
  const schema = schemas.get(message.type)
  if (schema?.Check(message) !== true) throw new Error(`not a message of the protocol: ${frame}`)
  return message
}

let ids = 0

/** A v1 client that rejects messages outside the protocol. */
export class V1Client {
  readonly socket: WebSocket
  readonly closed: Promise<{ code: number, reason: string }>
  /** Presence received while another message was awaited. */
  readonly presences: Array<Message<'presence'>> = []
  readonly #link: Client

  constructor (link: Client) {
    this.#link = link
    this.socket = link.socket
    this.closed = link.closed
  }

  say (message: object | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  /** Resolves with the next message other than presence, which arrives at any time and is collected. */
  async next (): Promise<Message> {
    for (;;) {
      const message = await this.any()
      if (message.type !== 'presence') return message
      this.presences.push(message)
    }
  }

  /** Resolves with the next message of any kind. Rejects when the connection has ended. */
  async any (): Promise<Message> {
    return parse(await this.#link.next())
  }

  /** Resolves with the next message, which must be of this type. */
  async expect<T extends Type> (type: T): Promise<Message<T>> {
    const message = await this.next()
    if (message.type !== type) throw new Error(`not ${type}: ${JSON.stringify(message)}`)
    return message as Message<T>
  }

  /** Resolves with the next `count` messages. */
  async take (count: number): Promise<Message[]> {
    const messages: Message[] = []
    while (messages.length < count) messages.push(await this.next())
    return messages
  }

  /** Resolves with the next presence that satisfies the predicate. Drops other messages. */
  async presence (satisfied: (presence: Message<'presence'>) => boolean = () => true): Promise<Message<'presence'>> {
    for (;;) {
      const message = this.presences.shift() ?? await this.any()
      if (message.type === 'presence' && satisfied(message)) return message
    }
  }

  async hello (more: object = {}): Promise<Message<'welcome'>> {
    this.say({ type: 'hello', ...more })
    return await this.expect('welcome')
  }

  async join (room: string, more: object = {}): Promise<Message<'joined'>> {
    this.say({ type: 'join', room, ...more })
    return await this.expect('joined')
  }

  async leave (room: string): Promise<Message<'left'>> {
    this.say({ type: 'leave', room })
    return await this.expect('left')
  }

  /** Sends a post. Returns its id. */
  post (room: string, text: string, more: object = {}): string {
    const id = `post ${++ids}`
    this.say({ type: 'post', room, text, id, ...more })
    return id
  }

  /** Posts, and receives the message and its ack. Resolves with the position. */
  async posted (room: string, text: string, more: object = {}): Promise<string> {
    this.post(room, text, more)
    const [{ position }] = [await this.expect('message'), await this.expect('ack')]
    return position
  }

  /** Sends a request and resolves with the error that answers it. */
  async refused (message: object | string): Promise<Message<'error'>> {
    this.say(message)
    return await this.expect('error')
  }

  /** Resolves with all messages before the one with this text. */
  async upTo (text: string): Promise<Message[]> {
    for (const messages: Message[] = []; ;) {
      const message = await this.next()
      if (message.type === 'message' && message.text === text) return messages
      messages.push(message)
    }
  }

  async end (): Promise<void> {
    this.socket.close()
    await this.closed
  }
}

/** Returns the texts of the messages that have one. */
export const texts = (messages: readonly object[]) => messages.flatMap((message) => 'text' in message ? [message.text] : [])
