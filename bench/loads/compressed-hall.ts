import { plain, wsDeflate } from '../contenders.ts'
import { targets, type Traffic } from './load.ts'

export const compressedHall: Traffic = {
  kind: 'traffic',
  name: 'compressed-hall',
  title: '500 members, 50 messages/s in all, 512 B of text, compressed',
  members: 500,
  pattern: { kind: 'open', rate: 50 },
  size: 512,
  compressed: true,
  contenders: [plain('plain deflate', { compression: true }), wsDeflate],
  targets: targets('plain deflate', 'ws deflate', { cpu: 1 / 15, latency: 1 })
}
