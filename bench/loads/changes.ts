import { lmdb, redisNode, v1, type Server } from '../contenders.ts'
import type { Traffic } from './load.ts'

const members = 256

/**
 * Returns a load in which members change messages, beside one in which as many post. On Redis with one node: a second one merges changes
 * of a message, so that the deliveries differ from those of posts.
 */
function changes (name: string, dialect: Server['dialect']): Traffic {
  const changing = (server: Server, name: string): Server => ({ ...server, name, dialect })
  return {
    kind: 'traffic',
    name,
    title: `${members} members of a room, each has a message of its own and 1 in flight: posts, ${name}`,
    members,
    pattern: { kind: 'closed', inFlight: 1 },
    size: 64,
    contenders: [v1('posts'), changing(v1(), name), changing(lmdb, `${name}, lmdb`), changing(redisNode, `${name}, redis`)],
    targets: [
      { ours: name, control: 'posts', atMost: 2 },
      { ours: `${name}, lmdb`, control: name },
      { ours: `${name}, redis`, control: name }
    ]
  }
}

export const edits = changes('edits', 'v1 edits')
export const reactions = changes('reactions', 'v1 reactions')
