import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { Channel } from './channel.ts'
import { Client, type Said } from './client.ts'
import { same } from './requirement.ts'

export const SUBPROTOCOL = 'fastify-chat.v1'

export interface ServerOptions {
  /** ms that an answer may take; 5 s */
  readonly timeout?: number | undefined
  /** for `hello`, where the server asks for one */
  readonly token?: string | undefined
}

/** The upgrade was answered by HTTP. */
export class Refused extends Error {
  readonly status: number

  constructor (status: number) {
    super(`the upgrade was refused with ${status}`)
    this.status = status
  }
}

/** The server that is looked at, and the connections of one requirement. */
export class Server {
  readonly url: string
  /** ms that an answer may take */
  readonly timeout: number
  readonly #token: string | undefined
  readonly #open = new Set<WebSocket>()

  constructor (url: string, { timeout = 5_000, token }: ServerOptions = {}) {
    this.url = url
    this.timeout = timeout
    this.#token = token
  }

  /** A room that nobody has used. */
  room (): string { return `conformance.${randomBytes(8).toString('hex')}` }

  /** Opens a connection. @throws Refused, or whatever keeps it from being made */
  async connect (protocols: string[] = [], query: Record<string, string> = {}): Promise<Channel> {
    const url = new URL(this.url)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    const socket = new WebSocket(url, protocols, { handshakeTimeout: this.timeout })
    this.#open.add(socket)
    const channel = new Channel(socket, this.timeout)
    const refused = new Promise<never>((_resolve, reject) => {
      socket.once('unexpected-response', (request, response) => {
        request.destroy()
        reject(new Refused(response.statusCode ?? 0))
      })
    })
    await Promise.race([once(socket, 'open'), refused])
    return channel
  }

  /** A v1 client that has not said hello. */
  async client (): Promise<Client> {
    const channel = await this.connect([SUBPROTOCOL])
    same(channel.socket.protocol, SUBPROTOCOL, 'the selected subprotocol')
    return new Client(channel)
  }

  /** A v1 client that has. */
  async enter (hello: { session?: string, name?: string } = {}): Promise<Client & { welcome: Said['welcome'] }> {
    const client = await this.client()
    const welcome = await client.hello({ ...hello, ...this.token() })
    return Object.assign(client, { welcome })
  }

  /** What a `hello` needs besides. */
  token (): { token?: string } { return this.#token === undefined ? {} : { token: this.#token } }

  /** A v1 client in a room. */
  async enterRoom (room: string, hello: { session?: string, name?: string } = {}): Promise<Client & { welcome: Said['welcome'], joined: Said['joined'] }> {
    const client = await this.enter(hello)
    return Object.assign(client, { joined: await client.join(room) })
  }

  /** Ends all connections. */
  close (): void {
    for (const socket of this.#open) socket.terminate()
    this.#open.clear()
  }
}
