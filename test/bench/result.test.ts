import t from 'tap'
import type { Contender } from '../../bench/contenders.ts'
import type { Load } from '../../bench/loads/load.ts'
import { summarize } from '../../bench/result.ts'
import type { Sample } from '../../bench/sample.ts'
import { idle, join, plain, program, rooms, sample, start, traffic, v1, ws } from './loads.ts'

type Round = ReadonlyArray<readonly [Contender, Sample]>

/** Returns the comparisons without their targets. */
const compared = (load: Load, ...rounds: Round[]) =>
  summarize(load, rounds.map((round) => new Map(round))).comparisons.map(({ measure, value, met }) => ({ measure, value, met }))

t.test('a ratio is the median of the ratios of the rounds', async (t) => {
  const rounds = [[1, 1], [30, 10], [400, 200]].map(([ours, control]): Round => [[plain, sample({ cpu: ours! })], [ws, sample({ cpu: control! })]])
  t.strictSame(compared(traffic({ ours: 'plain', control: 'ws', atMost: 2 }), ...rounds), [{ measure: 'cpu', value: 2, met: 'met' }])
})

t.test('without a control, the median of the numbers is compared with the bound', async (t) => {
  const rounds = [10, 90, 40].map((route): Round => [[plain, sample({ route })]])
  t.strictSame(compared(traffic({ ours: 'plain', measure: 'route', atMost: 50 }), ...rounds), [{ measure: 'route', value: 40, met: 'met' }])
})

t.test('a value is equal to its target up to 5 % beyond it', async (t) => {
  const met = (value: number, bounds: { atMost?: number, atLeast?: number }) =>
    compared(traffic({ ours: 'plain', measure: 'p99', ...bounds }), [[plain, sample({ p99: value })]])[0]!.met
  t.equal(met(50, { atMost: 50 }), 'met')
  t.equal(met(52.4, { atMost: 50 }), 'equal')
  t.equal(met(52.6, { atMost: 50 }), 'missed')
  t.equal(met(0.9, { atLeast: 0.9 }), 'met')
  t.equal(met(0.86, { atLeast: 0.9 }), 'equal')
  t.equal(met(0.85, { atLeast: 0.9 }), 'missed')
  t.equal(met(1, {}), undefined, 'without a bound, there is no target')
})

t.test('by default, each cost of the load is compared', async (t) => {
  const target = { ours: 'v1' }
  const memory: Round = [[v1, { heap: 100, rss: 200 }]]
  const both = [{ measure: 'heap', value: 100, met: undefined }, { measure: 'rss', value: 200, met: undefined }]
  t.strictSame(compared(idle(target), memory), both)
  t.strictSame(compared(rooms(target), memory), both)
  t.strictSame(compared(start({ ours: 'serve' }), [[program, { time: 3 }]]), [{ measure: 'time', value: 3, met: undefined }])
  t.strictSame(compared(join(target), [[v1, { p50: 1, p99: 2, roundTrips: 2 }]]), [], 'a join has only latencies')
})

t.test('a measure that no round has is left out', async (t) => {
  const target = { ours: 'plain', control: 'ws', measure: 'p99' } as const
  t.strictSame(compared(traffic(target), [[plain, sample({})]]), [], 'the control was not measured')
  t.strictSame(compared(traffic(target), [[plain, sample({})], [ws, { invalid: 'broken' }]]), [])
  t.strictSame(compared(traffic({ ours: 'plain', measure: 'route' }), [[plain, sample({})]]), [])
})

t.test('a row has the medians of the valid rounds, and the reasons of the others', async (t) => {
  const { rows: [row], per } = summarize(join(), [
    new Map([[plain, { p50: 1, p99: 10, roundTrips: 2 }]]),
    new Map([[plain, { invalid: 'broken' }]]),
    new Map([[plain, { p50: 3, p99: 20, roundTrips: 2 }]])
  ])
  t.match(row, { contender: 'plain', p50: 2, p99: 15, roundTrips: 2, cpu: undefined, invalid: ['broken'] })
  t.equal(per, undefined)
})

t.test('a load that measures memory names what its bytes are for', async (t) => {
  t.equal(summarize(idle(), []).per, 'connection')
  t.equal(summarize(rooms(), []).per, 'room')
})
