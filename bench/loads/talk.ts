import { net, plain, socketIO, v1, ws } from '../contenders.ts'
import type { Traffic } from './load.ts'

export const talk: Traffic = {
  kind: 'traffic',
  name: 'talk',
  title: '64 members, all post, 4 in flight each, 64 B',
  members: 64,
  pattern: { kind: 'closed', inFlight: 4 },
  size: 64,
  contenders: [plain(), ws, v1(), net, socketIO],
  targets: [
    { ours: 'plain', control: 'ws', atMost: 1 / 40 },
    { ours: 'v1', control: 'ws', atMost: 1 / 25 },
    { ours: 'plain', control: 'net', atMost: undefined },
    { ours: 'v1', control: 'net', atMost: undefined },
    { ours: 'plain', control: 'Socket.IO', atMost: 1 / 40 },
    { ours: 'v1', control: 'Socket.IO', atMost: 1 / 40 }
  ]
}
