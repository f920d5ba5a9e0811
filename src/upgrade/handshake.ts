import type { IncomingMessage } from 'node:http'
import type { ServerOptions, WebSocketServer } from 'ws'
import { BadHandshake } from '../errors.ts'

/** What `ws` is told for the handshakes of one route. */
export interface HandshakeSettings {
  /** bytes of one message; more closes with 1009 */
  readonly maxPayload: number
  /** frames of one message; more closes with 1008 */
  readonly maxFragments: number
  /** reads that one unfinished message may come in; more closes with 1008 */
  readonly maxBufferedChunks: number
  /** pongs that may wait to be read; a ping more cuts the client off */
  readonly maxPendingAutoPongs: number
  /** ms a client is given to answer a close frame */
  readonly closeTimeout: number
  readonly autoPong: true
  readonly skipUTF8Validation: false
  readonly perMessageDeflate: NonNullable<ServerOptions['perMessageDeflate']>
  readonly handleProtocols: NonNullable<ServerOptions['handleProtocols']>
}

/**
 * Runs a handshake of a shared server under settings of its own. `ws` reads its options only while a handshake runs, in
 * one synchronous step, so the other routes of the app never see these; a `verifyClient` that answers later gets
 * them again for the rest.
 */
export function withSettings<T> (server: WebSocketServer, settings: HandshakeSettings, handshake: () => T): T {
  const theirs = server.options
  const { verifyClient } = theirs
  const later: ServerOptions['verifyClient'] = verifyClient === undefined || verifyClient === null || verifyClient.length < 2
    ? verifyClient
    : (info, answer) => (verifyClient as VerifyLater)(info, (...args) => withSettings(server, settings, () => answer(...args)))
  server.options = { ...theirs, ...settings, verifyClient: later }
  try {
    return handshake()
  } finally {
    server.options = theirs
  }
}

type VerifyLater = (
  info: Parameters<NonNullable<ServerOptions['verifyClient']>>[0],
  answer: (verified: boolean, code?: number, message?: string, headers?: Record<string, string>) => void
) => void

const rules: ReadonlyArray<readonly [rule: string, follows: (request: IncomingMessage) => boolean]> = [
  ['it must be HTTP/1.1', ({ httpVersion }) => httpVersion === '1.1'],
  // An injected one has no raw headers, and the host that the test gave it.
  ['it must have one Host', ({ rawHeaders }) => rawHeaders === undefined || hosts(rawHeaders) === 1],
  ['Upgrade must be websocket', ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket'],
  ['Sec-WebSocket-Version must be 13', ({ headers }) => String(headers['sec-websocket-version']) === '13'],
  ['Sec-WebSocket-Key must be 16 bytes in base64', ({ headers }) => /^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')],
  // It would be read as the first frames, and by a proxy as something else.
  ['it must not have a body', ({ headers }) => headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0]
]

function hosts (rawHeaders: readonly string[]): number {
  return rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length
}

/**
 * Refuses what is no handshake by RFC 6455, section 4.2.1, before anybody does anything for it. `ws` asks for less, and of
 * an upgrade Node doesn't ask for a `Host`.
 * @throws BadHandshake
 */
export function checkHandshake (request: IncomingMessage): void {
  for (const [rule, follows] of rules) if (!follows(request)) throw new BadHandshake(rule)
}
