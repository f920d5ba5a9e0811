import { lmdb, redis, socketIOStreams, v1 } from '../contenders.ts'
import type { Traffic } from './load.ts'
import { talk } from './talk.ts'

/** Measures the cost of stores that outlive the process or serve several nodes. */
export const stores: Traffic = {
  ...talk,
  name: 'stores',
  title: 'talk, v1: stored in memory, on disk (acked after fsync), in Redis by two nodes',
  contenders: [v1('memory'), lmdb, redis, socketIOStreams],
  targets: [
    { ours: 'lmdb', control: 'memory', measure: 'deliveries', atLeast: 1 / 2 },
    { ours: 'lmdb', control: 'memory', atMost: 2 },
    { ours: 'redis, 2 nodes', control: 'memory', measure: 'deliveries', atLeast: 1 / 2 },
    { ours: 'redis, 2 nodes', control: 'memory', atMost: 2 },
    { ours: 'redis, 2 nodes', control: 'Socket.IO, 2 nodes', atMost: 1 / 8 }
  ]
}
