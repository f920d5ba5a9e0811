import t from 'tap'
import type { Contender } from '../../bench/contenders.ts'
import type { Load } from '../../bench/loads/load.ts'
import { summarize } from '../../bench/result.ts'
import type { Sample } from '../../bench/sample.ts'
import { table } from '../../bench/table.ts'
import { join, plain, program, rooms, sample, start, traffic, v1, ws } from './loads.ts'

/** Returns the lines below the title of the load, with single spaces. */
const lines = (load: Load, ...round: Array<readonly [Contender, Sample]>) =>
  table([summarize(load, [new Map(round)])]).split('\n').slice(3).map((line) => line.trim().replace(/ +/g, ' '))

t.test('a ratio is in the row of its control', async (t) => {
  const load = traffic({ ours: 'plain', control: 'ws', atMost: 1 }, { ours: 'plain', control: 'ws', measure: 'deliveries', atLeast: 1 / 4 })
  t.strictSame(lines(load, [plain, sample({ cpu: 3, deliveries: 1 })], [ws, sample({ cpu: 2, deliveries: 5 })]).slice(0, 3), [
    'plain 1 3.000 1.00 1.00 50%/50% server',
    '– ws 5 2.000 1.00 1.00 50%/50% server plain 1.50, target 1.00: MISSED',
    'plain deliveries 1/5, target at least 1/4: MISSED'
  ])
})

t.test('a number without a control is in its own row, with its unit', async (t) => {
  const route = traffic({ ours: 'plain', measure: 'route', atMost: 50 })
  t.equal(lines(route, [plain, sample({ route: 20.5 })])[0], 'plain 1 1.000 1.00 1.00 50%/50% server p99 of a route 20.50 ms, target 50.00 ms: met')
  t.strictSame(lines(rooms({ ours: 'v1' }), [v1, { heap: 2_048, rss: 4_096 }]).slice(-2), ['v1 2.00 4.00 heap 2,048 bytes a room', 'rss 4,096 bytes a room'])
  const trips = join({ ours: 'v1', measure: 'roundTrips', atMost: 2 })
  t.equal(lines(trips, [v1, { p50: 120, p99: 130, roundTrips: 6 }]).at(-1), 'v1 120.00 130.00 round trips 6, target 2: MISSED')
})

t.test('a start has its time', async (t) => {
  t.equal(lines(start(), [program, { time: 12.34 }])[0], 'serve 12.3')
})

t.test('a contender without a valid round has the reason', async (t) => {
  t.strictSame(lines(traffic(), [plain, { invalid: 'broken' }]).slice(0, 2), ['plain no valid round', 'a round is invalid: broken'])
})
