import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** A client address with its number of open connections. name: empty if the address is unknown. */
export interface Address { readonly name: string, connections: number }

/** Marks the subject of a restriction as an address. Every other subject is a member id. */
const PREFIX = 'address:'

/** Prefix length of an IPv6 network. One client can use all addresses of its network. */
const NETWORK_BITS = 64

/**
 * Returns an IPv4 address unchanged, the IPv4 address of an IPv4-mapped one, and the /64 of any other IPv6 address. Ignores a
 * port or a zone that a proxy added. Returns undefined if the text isn't an IP address.
 */
export function normalizeAddress (text: string): string | undefined {
  const host = /^\[(.+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
  const address = host.replace(/(?:%.*|\/64)$/, '')
  // Stricter than `ipaddr.isValid`, which also accepts octal, hexadecimal and shortened numbers.
  switch (isIP(address)) {
    case 4: return address
    case 6: return networkOf(address)
  }
  return undefined
}

/** Returns the subject of a restriction on an address. @param address normalized */
export function subjectOf (address: string): string { return PREFIX + address }

/** Returns the restricted address; undefined if the subject is a member. */
export function addressOf (subject: string): string | undefined {
  return subject.startsWith(PREFIX) ? subject.slice(PREFIX.length) : undefined
}

/** @param address IPv6 */
function networkOf (address: string): string {
  const parsed = ipaddr.IPv6.parse(address)
  // A dual-stack socket reports an IPv4 client in this form. RFC 4291, section 2.5.5.2.
  if (parsed.isIPv4MappedAddress()) return parsed.toIPv4Address().toString()
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${address}/${NETWORK_BITS}`).toRFC5952String()}/${NETWORK_BITS}`
}
