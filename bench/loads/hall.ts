import { net, plain, socketIO, v1, ws } from '../contenders.ts'
import { bothWires, targets, type Traffic } from './load.ts'

export const hall: Traffic = {
  kind: 'traffic',
  name: 'hall',
  title: '1,000 members, 100 messages/s in all, 64 B',
  members: 1_000,
  pattern: { kind: 'open', rate: 100 },
  size: 64,
  contenders: [plain(), ws, v1(), net, socketIO],
  targets: [...bothWires({ cpu: 0.95, latency: 1 }), { ours: 'plain', control: 'Socket.IO', atMost: 0.8 }]
}

export const largeHall: Traffic = {
  ...hall,
  name: 'large-hall',
  title: '8,000 members, 10 messages/s in all, 64 B',
  members: 8_000,
  pattern: { kind: 'open', rate: 10 },
  contenders: [plain(), ws, v1(), net],
  targets: bothWires({ cpu: 0.95, latency: 1 })
}

export const busyHall: Traffic = {
  ...hall,
  name: 'busy-hall',
  title: '1,000 members, 1,000 messages/s in all, 64 B',
  pattern: { kind: 'open', rate: 1_000 },
  contenders: [plain(), ws, v1(), net],
  targets: [
    ...targets('plain', 'ws', { cpu: 1 / 12, latency: 1 }),
    ...targets('v1', 'ws', { cpu: 1 / 10, latency: 1 }),
    { ours: 'plain', control: 'net' }
  ]
}

const intervals = [10, 50]

/** Measures the gain and the cost of flushInterval. */
export const flush: Traffic = {
  ...hall,
  name: 'flush',
  title: 'the hall with flushInterval 0, 10 and 50 ms',
  contenders: [plain('0 ms'), ...intervals.map((flushInterval) => plain(`${flushInterval} ms`, { flushInterval }))],
  targets: intervals.map((flushInterval) => ({ ours: `${flushInterval} ms`, control: '0 ms' }))
}
