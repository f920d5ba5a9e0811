import { echo, wsEcho } from '../contenders.ts'
import type { Traffic } from './load.ts'

export const echo1: Traffic = {
  kind: 'traffic',
  name: 'echo-1',
  title: '64 clients, 1 in flight each, 64 B',
  members: 64,
  pattern: { kind: 'closed', inFlight: 1 },
  size: 64,
  echo: true,
  contenders: [echo, wsEcho],
  targets: [{ ours: 'echo', control: 'ws echo', atMost: 1.1 }]
}

export const echo16: Traffic = {
  ...echo1,
  name: 'echo-16',
  title: '64 clients, 16 in flight each, 64 B',
  pattern: { kind: 'closed', inFlight: 16 },
  targets: [{ ours: 'echo', control: 'ws echo', atMost: 0.6 }]
}
