import { once } from 'node:events'
import type { Test } from 'tap'
import { Compile } from 'typebox/compile'
import type { FastifyInstance } from 'fastify'
import { WebSocket } from 'ws'
import { MemoryStore, type Store, type FastifyChatOptions } from '../../src/index.ts'
import { serverMessages } from '../../src/messages.ts'
import type { ServerMessage } from '../../src/protocol.ts'
import { connect } from '../../src/testing.ts'
import { build, listen, open, type Line } from './helper.ts'

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

interface Link { readonly socket: WebSocket, next (): Promise<string | Buffer>, readonly closed: Promise<{ code: number, reason: string }> }

/** Connects over TCP and offers the subprotocol. Terminated with the test. */
export async function openTcp (t: Test, url: string): Promise<Link> {
  const socket = new WebSocket(url, protocol)
  t.teardown(() => socket.terminate())
  const received: Array<string | Buffer> = []
  const waiting: Array<{ resolve: (frame: string | Buffer) => void, reject: (error: Error) => void }> = []
  let ended: Error | undefined
  socket.on('message', (data: Buffer, isBinary) => {
    const frame = isBinary ? data : data.toString()
    const next = waiting.shift()
    if (next === undefined) received.push(frame)
    else next.resolve(frame)
  })
  const closed = new Promise<{ code: number, reason: string }>((resolve) => {
    socket.on('close', (code, reason) => {
      ended = new Error(`closed with ${code} ${reason.toString()}`)
      for (const { reject } of waiting.splice(0)) reject(ended)
      resolve({ code, reason: reason.toString() })
    })
  })
  await once(socket, 'open')
  return {
    socket,
    closed,
    async next () {
      const frame = received.shift()
      if (frame !== undefined) return frame
      if (ended !== undefined) throw ended
      return await new Promise((resolve, reject) => waiting.push({ resolve, reject }))
    }
  }
}

let ids = 0

/** A v1 client that rejects messages outside the protocol. */
export class V1Client {
  readonly socket: WebSocket
  readonly closed: Promise<{ code: number, reason: string }>
  /** Presence received while another message was awaited. */
  readonly presences: Array<Message<'presence'>> = []
  readonly #link: Link

  constructor (link: Link) {
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

  /** Resolves with the next presence that satisfies; other messages are dropped. */
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

  /** Posts and takes its own message and its ack. Resolves with the position. */
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

export interface ChatApp {
  readonly app: FastifyInstance & { lines: Line[] }
  readonly port: number
  /** Opens a connection over TCP. */
  tcp (): Promise<V1Client>
  /** Opens an injected connection. */
  injected (): Promise<V1Client>
  /** Opens a connection over TCP, sends hello and joins these rooms. */
  member (hello?: object, ...rooms: string[]): Promise<V1Client>
  /** Opens a plain client and takes its greeting. */
  plain (query?: string): ReturnType<typeof open>
}

/** Starts a chat that listens. Its connections end with the test, and its clients have no rate limits. */
export async function chat (t: Test, options: FastifyChatOptions = {}): Promise<ChatApp> {
  const app = await build(t, { ...options, limits: { messageRate: Infinity, byteRate: Infinity, ...options.limits } })
  const port = await listen(app)
  const url = `ws://127.0.0.1:${port}/chat`
  const tcp = async () => new V1Client(await openTcp(t, url))
  return {
    app,
    port,
    tcp,
    async injected () {
      const connection = await connect(app, '/chat', { protocol })
      t.teardown(() => connection.socket.terminate())
      return new V1Client(connection)
    },
    async member (hello = {}, ...rooms) {
      const client = await tcp()
      await client.hello(hello)
      for (const room of rooms) await client.join(room)
      return client
    },
    async plain (query = '') {
      const client = await open(t, url + query)
      await client.next()
      return client
    }
  }
}

/** Returns a memory store with some calls replaced. `works` is the underlying store. */
export function storeWith (calls: (works: Store) => Partial<Store>): Store {
  const works = new MemoryStore()
  return {
    append: (...args) => works.append(...args),
    find: (...args) => works.find(...args),
    read: (...args) => works.read(...args),
    follow: (...args) => works.follow(...args),
    erase: (...args) => works.erase(...args),
    clear: (...args) => works.clear(...args),
    check: () => works.check(),
    close: () => works.close(),
    ...calls(works)
  }
}

/** A gate: `pass` waits for `open`, and `reached` resolves when someone waits. */
export function gate (): { pass (): Promise<void>, open (): void, readonly reached: Promise<void> } {
  let open!: () => void
  let reach!: () => void
  const opened = new Promise<void>((resolve) => { open = resolve })
  const reached = new Promise<void>((resolve) => { reach = resolve })
  return {
    reached,
    open,
    pass () {
      reach()
      return opened
    }
  }
}

export function turn (): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

export const texts = (messages: readonly object[]) => messages.flatMap((message) => 'text' in message ? [message.text] : [])
