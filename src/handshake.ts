import type { ServerOptions, WebSocketServer } from 'ws'

/** What `ws` is told for the handshakes of one route. */
export interface HandshakeSettings {
  /** bytes of one message; more closes with 1009 */
  readonly maxPayload: number
  /** frames of one message; more closes with 1008 */
  readonly maxFragments: number
  /** reads that one unfinished message may come in; more closes with 1008 */
  readonly maxBufferedChunks: number
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
