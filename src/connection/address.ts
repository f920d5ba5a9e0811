import { isIP } from 'node:net'

/** A source of connections, and the number that it has open. name: empty if the address is unknown. */
export interface Address { readonly name: string, connections: number }

/** Marks a subject of a restriction as an address; every other subject is a member. */
const PREFIX = 'address:'

/**
 * Returns an IPv4 address as it is, and an IPv6 address as its /64, because a client can use every address of its /64.
 * Ignores a port or a zone that a proxy added. Returns undefined if the text isn't an IP address.
 */
export function normalizeAddress (text: string): string | undefined {
  const host = /^\[(.+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
  const address = host.replace(/(?:%.*|\/64)$/, '')
  switch (isIP(address)) {
    case 4: return address
    case 6: return network(address)
  }
  return undefined
}

/** Returns the subject of a restriction on an address. @param address normalized */
export function subjectOf (address: string): string { return PREFIX + address }

/** Returns the restricted address; undefined if the subject is a member. */
export function addressOf (subject: string): string | undefined {
  return subject.startsWith(PREFIX) ? subject.slice(PREFIX.length) : undefined
}

function network (address: string): string {
  const [head, tail = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const [left, right] = [head, tail].map((groups) => groups === '' ? [] : groups!.split(':')) as [string[], string[]]
  const groups = [...left, ...new Array<string>(8 - left.length - right.length).fill('0'), ...right]
  // An IPv4-mapped address, as a dual-stack socket reports it. RFC 4291, section 2.5.5.2.
  if (groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff') {
    return groups.slice(6).flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]).join('.')
  }
  return `${groups.slice(0, 4).join(':')}::/64`
}
