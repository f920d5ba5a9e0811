import type { FastifyInstance } from 'fastify'
import { appOptions, websocketDispatchers } from './internals/index.ts'

/** Logs a warning for each setting of the app, and for a runtime, that breaks upgrades or limits. Call it when the app is ready. */
export function warnOfAppSettings (app: FastifyInstance, { connectionsPerAddress }: { readonly connectionsPerAddress: number }): void {
  if (websocketDispatchers(app.server) > 1) {
    app.log.warn('@fastify/websocket is registered more than once on this server, so it handles each upgrade of its routes more than once: ' +
      'register it once, at the root')
  }
  const trust = connectionsPerAddress === Infinity ? undefined : trustProxyWarning(appOptions(app).trustProxy)
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

/** Returns a warning if Fastify's `trustProxy` makes the addresses of clients unreliable; undefined otherwise. */
function trustProxyWarning (trustProxy: unknown): string | undefined {
  if (trustProxy === true) {
    return 'with trustProxy: true clients can spoof X-Forwarded-For, so limits.connectionsPerAddress and bans by address have no effect: ' +
      'set trustProxy to the addresses of your proxies'
  }
  if (typeof trustProxy === 'number') {
    return `with trustProxy: ${trustProxy} Fastify 5.12 trusts no proxy, so all clients behind one share its address, its ` +
      'limits.connectionsPerAddress and its bans: set trustProxy to the addresses of your proxies'
  }
  return undefined
}
