import { lmdb, net, plain, redis, redisNode, v1, ws } from '../contenders.ts'
import { bothWires, type Traffic } from './load.ts'

export const pairs: Traffic = {
  kind: 'traffic',
  name: 'pairs',
  title: '2,000 rooms of 2, 5,000 messages/s in all, 64 B',
  members: 4_000,
  roomSize: 2,
  pattern: { kind: 'open', rate: 5_000 },
  size: 64,
  contenders: [plain(), ws, v1(), net],
  targets: bothWires({ cpu: 1, latency: 1.1 })
}

export const smallRooms: Traffic = {
  ...pairs,
  name: 'small-rooms',
  title: '400 rooms of 5, 2,000 messages/s in all, 64 B',
  members: 2_000,
  roomSize: 5,
  pattern: { kind: 'open', rate: 2_000 }
}

export const teams: Traffic = {
  ...pairs,
  name: 'teams',
  title: '40 rooms of 50, 1,000 messages/s in all, 64 B',
  members: 2_000,
  roomSize: 50,
  pattern: { kind: 'open', rate: 1_000 },
  targets: bothWires({ cpu: 0.8, latency: 1 })
}

/** Measures what stores add in small rooms, and the hop over Redis: members of a room are on both nodes. */
export const storesSmallRooms: Traffic = {
  ...smallRooms,
  name: 'stores-small-rooms',
  title: '400 rooms of 5, 1,000 messages/s in all, v1: in memory, on disk (acked after fsync), in Redis',
  pattern: { kind: 'open', rate: 1_000 },
  contenders: [v1('memory'), lmdb, redis, redisNode],
  targets: [
    { ours: 'lmdb', control: 'memory', atMost: 2 },
    { ours: 'redis, 1 node', control: 'memory', atMost: 1.6 },
    { ours: 'redis, 2 nodes', control: 'memory' },
    { ours: 'redis, 2 nodes', control: 'redis, 1 node', measure: 'p50' },
    ...['lmdb', 'redis, 1 node', 'redis, 2 nodes'].map((ours) => ({ ours, measure: 'p50' as const, atMost: 1 }))
  ]
}
