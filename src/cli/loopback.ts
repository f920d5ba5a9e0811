import { BlockList, isIP } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { HostRefused } from '../errors.ts'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** A host and an optional port (RFC 9110, section 7.2). Unlike a URL, the header has no user name. */
const hostField = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?$/i

/**
 * Rejects requests and upgrades for a foreign host name with 421 while the server listens on loopback addresses only. A
 * page of another site can make its own name resolve to 127.0.0.1 (DNS rebinding). The browser and the origin check would
 * then take this server for a part of that site.
 * @param given the address or name on which the server was started
 */
export function guardLoopback (app: FastifyInstance, given: string): void {
  let local: boolean | undefined
  app.addHook('onRequest', async ({ headers: { host = '' } }) => {
    local ??= app.addresses().every((at) => typeof at === 'object' && isLoopback(at.address))
    if (local && !isLocalName(host, given)) throw new HostRefused(host)
  })
}

function isLocalName (host: string, given: string): boolean {
  if (!hostField.test(host) || !URL.canParse(`http://${host}`)) return false
  const { hostname } = new URL(`http://${host}`)
  return hostname === 'localhost' || hostname === given.toLowerCase() || isLoopback(hostname.replace(/^\[|\]$/g, ''))
}

function isLoopback (address: string): boolean {
  const version = isIP(address)
  return version !== 0 && loopback.check(address, version === 6 ? 'ipv6' : 'ipv4')
}
