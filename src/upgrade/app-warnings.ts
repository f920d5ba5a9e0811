import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { Limits } from '../options.ts'
import { appOptions, websocketDispatchers } from './internals/index.ts'

/** Logs a warning for each setting of the app, and for a runtime, that breaks upgrades or limits. Call it when the app is ready. */
export function warnOfAppSettings (app: FastifyInstance, { connectionsPerAddress, roomsPerAddress }: Limits): void {
  if (websocketDispatchers(app.server) > 1) {
    app.log.warn('@fastify/websocket is registered more than once on this server, so it handles each upgrade of its routes more than once: ' +
      'register it once, at the root')
  }
  const trust = connectionsPerAddress === Infinity && roomsPerAddress === Infinity ? undefined : trustProxyWarning(appOptions(app).trustProxy)
  for (const warning of [runtimeWarning(), trust]) if (warning !== undefined) app.log.warn(warning)
}

/**
 * Returns a warning if this runtime breaks a guarantee of the plugin; undefined on Node. Bun replaces `ws` with its own WebSocket,
 * which passes only complete messages. Deno delivers one SIGTERM to a process twice.
 */
export function runtimeWarning (versions: Readonly<Record<string, string | undefined>> = process.versions): string | undefined {
  if (versions['bun'] !== undefined) {
    return 'Bun passes no incomplete frames and no pings to the server, so an unfinished message and a flood ' +
      'of pings end no connection: use Node where clients are not trusted'
  }
  if (versions['deno'] !== undefined) {
    return 'Deno delivers one SIGTERM twice, and a handler that ends the process at the second signal closes no connections: use ' +
      'Node, or ignore the second signal'
  }
  return undefined
}

/** Returns a function that logs a warning, once, when a client of a Unix socket has no address. Call it for each upgrade. */
export function unknownAddressWarning (app: FastifyInstance): (address: string | undefined, socket: Duplex) => void {
  let warned = false
  return (address, socket) => {
    if (warned || address !== undefined || !isUnixSocket(socket)) return
    warned = true
    app.log.warn('request.ip is undefined on a Unix socket, so limits per address and bans by address have no effect: ' +
      'set trustProxy to (_address, hop) => hop === 0, and let the proxy set X-Forwarded-For')
  }
}

/** Returns false for an injected stream, and for a TCP socket that was reset, which has only its local address. */
function isUnixSocket (socket: Duplex): boolean {
  return socket instanceof Socket && !socket.destroyed && socket.localAddress === undefined
}

/** Returns a warning if Fastify's `trustProxy` makes the addresses of clients unreliable; undefined otherwise. */
function trustProxyWarning (trustProxy: unknown): string | undefined {
  if (trustProxy === true) {
    return 'with trustProxy: true clients can spoof X-Forwarded-For, so limits per address and bans by address have no effect: ' +
      'set trustProxy to the addresses of your proxies'
  }
  if (typeof trustProxy === 'number') {
    return `with trustProxy: ${trustProxy} Fastify 5.12 trusts no proxy, so all clients behind one share its address, its ` +
      'limits and its bans: set trustProxy to the addresses of your proxies'
  }
  return undefined
}
