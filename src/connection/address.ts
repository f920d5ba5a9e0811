import { isIP } from 'node:net'

/** Where connections come from, and how many do. name: empty where that can't be known. */
export interface Address { readonly name: string, connections: number }

/** How the roster is told of everyone at an address, beside members by their ids. */
const PREFIX = 'address:'

/**
 * What counts as one address: one of IPv4, or the /64 of one of IPv6, because whoever has one of those has them all.
 * Undefined for what is no address; a port or a zone that a proxy left at it is passed over.
 */
export function normalizeAddress (given: string): string | undefined {
  const host = /^\[(.+)\](?::\d+)?$/.exec(given)?.[1] ?? /^([\d.]+):\d+$/.exec(given)?.[1] ?? given
  const address = host.replace(/(?:%.*|\/64)$/, '')
  switch (isIP(address)) {
    case 4: return address
    case 6: return network(address)
  }
  return undefined
}

/** Who is restricted by an address, for the roster. @param address normalized */
export function subjectOf (address: string): string { return PREFIX + address }

/** The address restricted; undefined for a member. */
export function addressOf (subject: string): string | undefined {
  return subject.startsWith(PREFIX) ? subject.slice(PREFIX.length) : undefined
}

function network (address: string): string {
  const [head, tail = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const [left, right] = [head, tail].map((groups) => groups === '' ? [] : groups!.split(':')) as [string[], string[]]
  const groups = [...left, ...new Array<string>(8 - left.length - right.length).fill('0'), ...right]
  // An IPv4 address as a socket for both shows it. RFC 4291, section 2.5.5.2.
  if (groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff') {
    return groups.slice(6).flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]).join('.')
  }
  return `${groups.slice(0, 4).join(':')}::/64`
}
