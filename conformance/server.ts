import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { Channel } from './channel.ts'
import { Client, type Hello, type ServerMessages } from './client.ts'
import { equal } from './assertions.ts'

export const SUBPROTOCOL = 'fastify-chat.v1'

/**
 * ms to wait for an answer, and for a member that left to be removed: twice the 5 s after which the servers of this package
 * remove it.
 */
export const DEFAULT_TIMEOUT = 10_000

export interface ServerOptions {
  /** ms within which an answer must arrive; 10 s */
  readonly timeout?: number | undefined
  /** for `hello`, if the server requires one */
  readonly token?: string | undefined
}

/** The server answered an upgrade with an HTTP response. */
export class UpgradeRefused extends Error {
  readonly status: number

  constructor (status: number) {
    super(`the upgrade was refused with ${status}`)
    this.status = status
  }
}

/** The server under test, and the connections of one requirement. */
export class Server {
  readonly url: string
  /** ms within which an answer must arrive */
  readonly timeout: number
  readonly #token: string | undefined
  readonly #open = new Set<WebSocket>()

  constructor (url: string, { timeout = DEFAULT_TIMEOUT, token }: ServerOptions = {}) {
    this.url = url
    this.timeout = timeout
    this.#token = token
  }

  /** Returns the name of an unused room. */
  room (): string { return `conformance.${randomBytes(8).toString('hex')}` }

  /** Opens a connection. Rejects with UpgradeRefused, or with the error of the socket. */
  async connect (protocols: string[] = [], query: Record<string, string> = {}): Promise<Channel> {
    const url = new URL(this.url)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    const socket = new WebSocket(url, protocols, { handshakeTimeout: this.timeout })
    this.#open.add(socket)
    const channel = new Channel(socket, this.timeout)
    const refused = new Promise<never>((_resolve, reject) => {
      socket.once('unexpected-response', (request, response) => {
        request.destroy()
        reject(new UpgradeRefused(response.statusCode ?? 0))
      })
    })
    await Promise.race([once(socket, 'open'), refused])
    return channel
  }

  /** Resolves with a v1 client that has not sent `hello`. */
  async client (): Promise<Client> {
    const channel = await this.connect([SUBPROTOCOL])
    equal(channel.socket.protocol, SUBPROTOCOL, 'the selected subprotocol')
    return new Client(channel)
  }

  /** Resolves with a v1 client that has received `welcome`. */
  async welcomedClient (hello: Hello = {}): Promise<Client & { welcome: ServerMessages['welcome'] }> {
    const client = await this.client()
    const welcome = await client.hello({ ...hello, ...this.token() })
    return Object.assign(client, { welcome })
  }

  /** Returns the token as a property of `hello`. */
  token (): { token?: string } { return this.#token === undefined ? {} : { token: this.#token } }

  /** Resolves with a v1 client that has joined a room. */
  async joinedClient (room: string, hello: Hello = {}): Promise<Client & { welcome: ServerMessages['welcome'], joined: ServerMessages['joined'] }> {
    const client = await this.welcomedClient(hello)
    return Object.assign(client, { joined: await client.join(room) })
  }

  /** Terminates all connections. */
  close (): void {
    for (const socket of this.#open) socket.terminate()
    this.#open.clear()
  }
}
