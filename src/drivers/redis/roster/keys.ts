import type { RedisLink } from '../client/client.ts'

/** Where a room's members are kept; the store's keys of the room are beside them. */
export function roomKeys (link: RedisLink, room: string): string[] {
  return ['members', 'order', 'nodes'].map((rest) => link.key(room, `present:${rest}`))
}

/** Also where it is kept who of them is on a node. */
export function nodeKeys (link: RedisLink, room: string, node: string): string[] {
  return [...roomKeys(link, room), link.key(room, `present:on:${node}`)]
}

/** Where it is said that a room's members changed, and who is typing. */
export function channel (link: RedisLink, room: string): string {
  return link.key(room, 'presence')
}
