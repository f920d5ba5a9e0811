import { net, plain, socketIO, v1, ws } from '../contenders.ts'
import { targets, type Traffic } from './load.ts'

export const talk: Traffic = {
  kind: 'traffic',
  name: 'talk',
  title: '64 members, all post, 4 in flight each, 64 B',
  members: 64,
  pattern: { kind: 'closed', inFlight: 4 },
  size: 64,
  contenders: [plain(), ws, v1(), net, socketIO],
  targets: [
    ...targets('plain', 'ws', { cpu: 1 / 45, latency: 1 }),
    ...targets('v1', 'ws', { cpu: 1 / 28, latency: 1 }),
    { ours: 'plain', control: 'net' },
    { ours: 'v1', control: 'net' },
    { ours: 'plain', control: 'Socket.IO', atMost: 1 / 40 },
    { ours: 'v1', control: 'Socket.IO', atMost: 1 / 40 }
  ]
}
