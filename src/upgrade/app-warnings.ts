import type { FastifyInstance } from 'fastify'
import { appOptions, websocketDispatchers } from './internals/index.ts'

/** Logs settings of the app that break upgrades or limits. Call it when the app is ready. */
export function warnOfAppSettings (app: FastifyInstance, { connectionsPerAddress }: { readonly connectionsPerAddress: number }): void {
  if (websocketDispatchers(app.server) > 1) {
    app.log.warn('@fastify/websocket is registered more than once on this server, so it handles each upgrade of its routes more than once: ' +
      'register it once, at the root')
  }
  const warning = connectionsPerAddress === Infinity ? undefined : trustProxyWarning(appOptions(app).trustProxy)
  if (warning !== undefined) app.log.warn(warning)
}

/** Returns a warning if Fastify's `trustProxy` makes the addresses of clients useless; undefined otherwise. */
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
