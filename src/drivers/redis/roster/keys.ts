import type { RedisClient } from '../client/client.ts'

/** Returns the keys of a room's members. They share a hash slot with the store's keys of the room. */
export function roomKeys (client: RedisClient, room: string): string[] {
  return ['members', 'order', 'nodes'].map((rest) => client.key(room, `present:${rest}`))
}

/** Returns the keys of `roomKeys`, and the key of the members on one node. */
export function nodeKeys (client: RedisClient, room: string, node: string): string[] {
  return [...roomKeys(client, room), client.key(room, `present:on:${node}`)]
}

/** Returns the channel of a room. Its messages are empty when the members changed, else a typing member as JSON. */
export function presenceChannel (client: RedisClient, room: string): string {
  return client.channel(room, 'presence')
}
