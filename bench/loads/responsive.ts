import { plain } from '../contenders.ts'
import { largeHall } from './hall.ts'
import type { Traffic } from './load.ts'

/** Measures an HTTP route of the same app under saturation, and what its requests cost the room. */
export const responsive: Traffic = {
  ...largeHall,
  name: 'responsive',
  title: '8,000 members, 64 of them post, 4 in flight each, 64 B, without and with an HTTP request every 10 ms',
  pattern: { kind: 'closed', inFlight: 4, posters: 64 },
  contenders: [plain('without requests'), { ...plain('with requests'), requests: true }],
  targets: [
    { ours: 'with requests', measure: 'route', atMost: 50 },
    { ours: 'with requests', control: 'without requests', measure: 'deliveries', atLeast: 0.9 }
  ]
}
