import { echo, wsEcho } from '../contenders.ts'
import { targets, type Traffic } from './load.ts'

export const echo1: Traffic = {
  kind: 'traffic',
  name: 'echo-1',
  title: '64 clients, 1 in flight each, 64 B',
  members: 64,
  pattern: { kind: 'closed', inFlight: 1 },
  size: 64,
  echo: true,
  contenders: [echo, wsEcho],
  targets: targets('echo', 'ws echo', { cpu: 1, latency: 1 })
}

export const echo1k: Traffic = {
  ...echo1,
  name: 'echo-1k',
  title: '64 clients, 1 in flight each, 1 KiB of binary',
  size: 1_024,
  binary: true,
  targets: targets('echo', 'ws echo', { cpu: 1.1, latency: 1 })
}

export const echo16k: Traffic = { ...echo1k, name: 'echo-16k', title: '64 clients, 1 in flight each, 16 KiB of binary', size: 16_384 }

export const echo16: Traffic = {
  ...echo1,
  name: 'echo-16',
  title: '64 clients, 16 in flight each, 64 B',
  pattern: { kind: 'closed', inFlight: 16 },
  targets: targets('echo', 'ws echo', { cpu: 0.6, latency: 1 })
}
