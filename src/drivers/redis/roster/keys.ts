import type { RedisLink } from '../client/client.ts'

/** Returns the keys of a room's members. They share a hash slot with the store's keys of the room. */
export function roomKeys (link: RedisLink, room: string): string[] {
  return ['members', 'order', 'nodes'].map((rest) => link.key(room, `present:${rest}`))
}

/** Returns the keys of `roomKeys`, and the key of the members that are on one node. */
export function nodeKeys (link: RedisLink, room: string, node: string): string[] {
  return [...roomKeys(link, room), link.key(room, `present:on:${node}`)]
}

/** Returns the channel of a room. Its messages are empty when the members changed, else a typing member as JSON. */
export function channel (link: RedisLink, room: string): string {
  return link.key(room, 'presence')
}
