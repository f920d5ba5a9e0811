import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws'
import { BadHandshake } from '../errors.ts'
import { deflateOffer } from './deflate-offer.ts'
import { isProtocolList, parseExtensions } from './handshake-headers.ts'
import { verifyClientOf, type UpgradeArguments } from './internals/index.ts'

/** The options of `ws` for one route. */
export interface HandshakeSettings {
  /** bytes of one message; a longer one closes the connection with 1009 */
  readonly maxPayload: number
  /** frames of one message; more close the connection with 1008 */
  readonly maxFragments: number
  /** reads of one unfinished message; more close the connection with 1008 */
  readonly maxBufferedChunks: number
  /** ms within which a client must answer a close frame */
  readonly closeTimeout: number
  /** The connection answers pings. */
  readonly autoPong: false
  readonly skipUTF8Validation: false
  readonly perMessageDeflate: NonNullable<ServerOptions['perMessageDeflate']>
  readonly handleProtocols: NonNullable<ServerOptions['handleProtocols']>
}

/** Answers the handshakes of one route with its own settings. */
export class Handshakes {
  readonly #app: FastifyInstance
  readonly #settings: HandshakeSettings
  #server: WebSocketServer | undefined
  /** Header lines of the 101 responses to requests that are being answered. */
  readonly #headers = new WeakMap<IncomingMessage, readonly string[]>()

  constructor (app: FastifyInstance, settings: HandshakeSettings) {
    this.#app = app
    this.#settings = settings
  }

  /**
   * Upgrades the socket, or responds with an HTTP error and ends it.
   * @param headers further header lines of the 101 response
   * @param upgraded called in the tick of the 101 response, so that no message is missed
   */
  answer (request: IncomingMessage, socket: UpgradeArguments[1], head: Buffer, headers: readonly string[], upgraded: (websocket: WebSocket) => void): void {
    const server = this.#server ??= this.#createServer()
    if (this.#settings.perMessageDeflate !== false) keepAcceptedOffer(request)
    this.#headers.set(request, headers)
    server.handleUpgrade(request, socket, head, (websocket) => {
      server.emit('connection', websocket, request)
      upgraded(websocket)
    })
  }

  /** Called at the first handshake: the app is ready then, and its @fastify/websocket is registered. */
  #createServer (): WebSocketServer {
    // The app's `verifyClient` applies to all its WebSocket routes. With one, `ws` reads the socket of the request, which an
    // injected request doesn't have.
    const verifyClient = verifyClientOf(this.#app)
    const server = new WebSocketServer({ noServer: true, clientTracking: false, ...verifyClient && { verifyClient }, ...this.#settings })
    // Listeners of the app may add headers to the 101 response, and receive all connections.
    const appServer = this.#app.websocketServer as WebSocketServer | undefined
    server.on('headers', (headers, request) => {
      headers.push(...this.#headers.get(request)!)
      appServer?.emit('headers', headers, request)
    })
    server.on('connection', (socket, request) => appServer?.emit('connection', socket, request))
    return server
  }
}

const rules: ReadonlyArray<readonly [rule: string, follows: (request: IncomingMessage) => boolean]> = [
  ['the request must be HTTP/1.1', ({ httpVersion }) => httpVersion === '1.1'],
  // An injected request has no raw headers. The test sets its host.
  ['the request must have exactly one Host', ({ rawHeaders }) => rawHeaders === undefined || hosts(rawHeaders) === 1],
  ['Upgrade must be websocket', ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket'],
  ['Sec-WebSocket-Version must be 13', ({ headers }) => String(headers['sec-websocket-version']) === '13'],
  ['Sec-WebSocket-Key must be 16 bytes in base64', ({ headers }) => /^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')],
  ['Sec-WebSocket-Extensions must be a list of extensions', ({ headers }) => parseExtensions(headers['sec-websocket-extensions']) !== undefined],
  ['Sec-WebSocket-Protocol must be a list of different tokens', ({ headers }) => isProtocolList(headers['sec-websocket-protocol'])],
  // `ws` would parse a body as frames. A proxy in front of the server wouldn't.
  ['the request must not have a body', (request) => !hasBody(request)]
]

/** Removes all extensions that the client offers, except for the accepted one: `ws` refuses a handshake if it can't accept one. */
function keepAcceptedOffer ({ headers }: IncomingMessage): void {
  const offer = deflateOffer(headers['sec-websocket-extensions'])
  if (offer === undefined) delete headers['sec-websocket-extensions']
  else headers['sec-websocket-extensions'] = offer
}

function hosts (rawHeaders: readonly string[]): number {
  return rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length
}

function hasBody ({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0
}

/**
 * Refuses an invalid handshake (RFC 6455, section 4.2.1) before any work is done for it. `ws` checks less, and Node
 * doesn't require `Host` on an upgrade.
 * @throws BadHandshake
 */
export function checkHandshake (request: IncomingMessage): void {
  for (const [rule, follows] of rules) if (!follows(request)) throw new BadHandshake(rule)
}

/**
 * Refuses an upgrade with a body. Node has released the parser, so the body can no longer be read.
 * @throws BadHandshake
 */
export function checkBody (request: IncomingMessage): void {
  if (hasBody(request)) throw new BadHandshake('the request must not have a body')
}
