import { net, plain, socketIO, v1, ws } from '../contenders.ts'
import type { Target, Traffic } from './load.ts'

const both = (control: string, atMost: number | undefined): Target[] => [
  { ours: 'plain', control, atMost },
  { ours: 'v1', control, atMost }
]

export const hall: Traffic = {
  kind: 'traffic',
  name: 'hall',
  title: '1,000 members, 100 messages/s in all, 64 B',
  members: 1_000,
  pattern: { kind: 'open', rate: 100 },
  size: 64,
  contenders: [plain(), ws, v1(), net, socketIO],
  targets: [...both('ws', 0.92), ...both('net', 1.05), ...both('Socket.IO', 0.8)]
}

export const busyHall: Traffic = {
  ...hall,
  name: 'busy-hall',
  title: '1,000 members, 1,000 messages/s in all, 64 B',
  pattern: { kind: 'open', rate: 1_000 },
  contenders: [plain(), ws, v1(), net],
  targets: [...both('ws', 1 / 10), ...both('net', undefined)]
}

const intervals = [10, 50]

/** Measures the gain and the cost of flushInterval. */
export const flush: Traffic = {
  ...hall,
  name: 'flush',
  title: 'the hall with flushInterval 0, 10 and 50 ms',
  contenders: [plain('0 ms'), ...intervals.map((flushInterval) => plain(`${flushInterval} ms`, { flushInterval }))],
  targets: intervals.map((flushInterval) => ({ ours: `${flushInterval} ms`, control: '0 ms', atMost: undefined }))
}
