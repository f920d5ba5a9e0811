import { createHash } from 'node:crypto'
import type { RedisClient } from '../client/client.ts'

/** Returns the keys of a room's members. They share a hash slot with the store's keys of the room. */
export function roomKeys (client: RedisClient, room: string): string[] {
  return ['members', 'order', 'nodes'].map((rest) => client.key(room, `present:${rest}`))
}

/** Returns the keys of `roomKeys`, and the key of the members on one node. */
export function nodeKeys (client: RedisClient, room: string, node: string): string[] {
  return [...roomKeys(client, room), client.key(room, `present:on:${node}`)]
}

/*
 * `roster` is also a valid room name, and so are the names that the channels of members have. So their keys and channels must not end as
 * those of a room do: `room`, `log`, `order`, `present:…`; `entries`, `presence`, `signals`. A test compares them.
 */

/** Returns the key of the leases of all nodes. */
export function leasesKey (client: RedisClient): string { return client.key('roster', 'leases') }

/** Returns the channel of the nodes. */
export function peersChannel (client: RedisClient): string { return client.channel('roster', 'peers') }

/**
 * Returns the keys of the restrictions, in the order that the scripts take them. The last one is the order of earlier versions, and also
 * a key of the room `roster`.
 */
export function restrictionKeys (client: RedisClient): string[] {
  return ['restrictions', 'restrictions:order', 'deletions', 'moment', 'order'].map((rest) => client.key('roster', rest))
}

/** Returns the channel of the restrictions. */
export function restrictionChannel (client: RedisClient): string { return client.channel('roster', 'restricted') }

/**
 * Returns the channel of a room's presence. Its messages are empty when the members changed, else a member that types, as JSON.
 * Nodes of earlier versions know no other messages.
 */
export function presenceChannel (client: RedisClient, room: string): string {
  return client.channel(room, 'presence')
}

/** Number of hash slots of the channels of members. In a Cluster, one command subscribes only to channels of one slot. */
const MEMBER_SLOTS = 64

/** Returns the channel of the messages to a member. */
export function memberChannel (client: RedisClient, memberId: string): string {
  const slot = createHash('sha1').update(memberId).digest()[0]! % MEMBER_SLOTS
  // Without the space, a member whose id starts with a number could have the channel of another one in another database.
  return `${client.channel(`direct:${slot}`, 'direct')} ${memberId}`
}

/** Returns the channel of a room's other signals. Nodes of earlier versions don't subscribe to it. */
export function signalChannel (client: RedisClient, room: string): string {
  return client.channel(room, 'signals')
}
