import { availableParallelism } from 'node:os'
import { redis, redisNode } from '../contenders.ts'
import type { Traffic } from './load.ts'
import { smallRooms } from './small-rooms.ts'

/** Cores for two nodes, their Redis and the load generator. */
const CORES = 4

const cores = availableParallelism()

/** Measures the throughput of two nodes beside that of one. Members of a room are on both nodes. */
export const nodes: Traffic = {
  ...smallRooms,
  name: 'nodes',
  title: '400 rooms of 5, all post, 1 in flight each, v1, in Redis: two nodes beside one',
  pattern: { kind: 'closed', inFlight: 1 },
  contenders: [redisNode, redis],
  targets: [
    { ours: 'redis, 2 nodes', control: 'redis, 1 node', measure: 'deliveries' },
    { ours: 'redis, 2 nodes', control: 'redis, 1 node' }
  ],
  ...cores < CORES && { note: `the nodes share ${cores} cores with Redis and the load generator` }
}
