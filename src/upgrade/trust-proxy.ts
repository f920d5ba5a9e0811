/** Returns a warning if Fastify's `trustProxy` makes the addresses of clients useless; undefined otherwise. */
export function trustProxyWarning (trustProxy: unknown): string | undefined {
  if (trustProxy === true) {
    return 'with trustProxy: true every client chooses its address itself, by X-Forwarded-For, so limits.connectionsPerAddress ' +
      'and bans by address hold nobody: name the addresses of your proxies in trustProxy'
  }
  if (typeof trustProxy === 'number') {
    return `with trustProxy: ${trustProxy} Fastify 5.12 trusts no proxy, so all clients behind one share its address, ` +
      'limits.connectionsPerAddress and bans by address: name the addresses of your proxies in trustProxy'
  }
  return undefined
}
