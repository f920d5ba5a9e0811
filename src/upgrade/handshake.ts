import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws'
import { BadHandshake } from '../errors.ts'
import type { UpgradeArguments } from './internals.ts'

/** What `ws` is told for the handshakes of one route. */
export interface HandshakeSettings {
  /** bytes of one message; more closes with 1009 */
  readonly maxPayload: number
  /** frames of one message; more closes with 1008 */
  readonly maxFragments: number
  /** reads that one unfinished message may come in; more closes with 1008 */
  readonly maxBufferedChunks: number
  /** pongs that may wait to be read; one more ping terminates the connection */
  readonly maxPendingAutoPongs: number
  /** ms a client is given to answer a close frame */
  readonly closeTimeout: number
  readonly autoPong: true
  readonly skipUTF8Validation: false
  readonly perMessageDeflate: NonNullable<ServerOptions['perMessageDeflate']>
  readonly handleProtocols: NonNullable<ServerOptions['handleProtocols']>
}

/** Answers the handshakes of one route, under settings of its own. */
export class Handshakes {
  readonly #app: FastifyInstance
  readonly #server: WebSocketServer

  constructor (app: FastifyInstance, settings: HandshakeSettings) {
    this.#app = app
    this.#server = new WebSocketServer({ noServer: true, clientTracking: false, ...settings })
    // The app adds headers to the 101 there, and sees all connections.
    this.#server.on('headers', (headers, request) => this.#ofApp?.emit('headers', headers, request))
    this.#server.on('connection', (socket, request) => this.#ofApp?.emit('connection', socket, request))
  }

  /**
   * Upgrades the socket, or answers with a status and ends it.
   * @param upgraded called in the tick of the 101, so that no message is missed
   */
  answer (request: IncomingMessage, socket: UpgradeArguments[1], head: Buffer, upgraded: (websocket: WebSocket) => void): void {
    // The app's own check is for all its WebSocket routes.
    this.#server.options.verifyClient = this.#ofApp?.options.verifyClient
    this.#server.handleUpgrade(request, socket, head, (websocket) => {
      this.#server.emit('connection', websocket, request)
      upgraded(websocket)
    })
  }

  /** That of @fastify/websocket, where the app has it. */
  get #ofApp (): WebSocketServer | undefined { return this.#app.websocketServer as WebSocketServer | undefined }
}

const rules: ReadonlyArray<readonly [rule: string, follows: (request: IncomingMessage) => boolean]> = [
  ['it must be HTTP/1.1', ({ httpVersion }) => httpVersion === '1.1'],
  // An injected one has no raw headers, and the host that the test gave it.
  ['it must have one Host', ({ rawHeaders }) => rawHeaders === undefined || hosts(rawHeaders) === 1],
  ['Upgrade must be websocket', ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket'],
  ['Sec-WebSocket-Version must be 13', ({ headers }) => String(headers['sec-websocket-version']) === '13'],
  ['Sec-WebSocket-Key must be 16 bytes in base64', ({ headers }) => /^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')],
  // It would be read as the first frames, and by a proxy as something else.
  ['it must not have a body', (request) => !hasBody(request)]
]

function hosts (rawHeaders: readonly string[]): number {
  return rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length
}

function hasBody ({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0
}

/**
 * Refuses what is no handshake by RFC 6455, section 4.2.1, before anything is done for it. `ws` checks less, and Node
 * requires no `Host` of an upgrade.
 * @throws BadHandshake
 */
export function checkHandshake (request: IncomingMessage): void {
  for (const [rule, follows] of rules) if (!follows(request)) throw new BadHandshake(rule)
}

/**
 * Refuses an upgrade whose body nobody can read any more: Node has let go of the parser.
 * @throws BadHandshake
 */
export function checkBody (request: IncomingMessage): void {
  if (hasBody(request)) throw new BadHandshake('it must not have a body')
}
