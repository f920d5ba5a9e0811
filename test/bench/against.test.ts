import t from 'tap'
import { against } from '../../bench/against.ts'
import { summarize } from '../../bench/result.ts'
import { idle, join, sample, start, traffic } from './loads.ts'

const other = { directory: '/another', commit: 'abc1234' }

t.test('each of our contenders is beside that of the other revision, and controls are left out', async (t) => {
  const { contenders } = against(traffic({ ours: 'plain', control: 'ws', atMost: 1 }), other)
  t.match(contenders, [
    { name: 'plain', ours: true },
    { name: 'plain of abc1234', ours: false, root: '/another' },
    { name: 'v1', ours: true },
    { name: 'v1 of abc1234', ours: false, root: '/another' }
  ])
  t.equal(contenders.length, 4)
  t.match(against(start(), other).contenders, [{ name: 'serve', file: 'a file' }, { name: 'serve of abc1234', root: '/another', file: 'a file' }])
})

t.test('every measure of the load is compared', async (t) => {
  const measures = (load: Parameters<typeof against>[0], taken: object) => {
    const compared = against(load, other)
    const round = new Map(compared.contenders.map((contender) => [contender, taken as ReturnType<typeof sample>]))
    return summarize(compared, [round]).comparisons.filter(({ ours }) => ours === compared.contenders[0]!.name).map(({ measure, value, met }) => `${measure} ${value} ${met}`)
  }
  t.strictSame(measures(traffic(), sample({})), ['cpu 1 met', 'p50 1 met', 'p99 1 met'])
  t.strictSame(measures(traffic(), sample({ route: 5 })), ['cpu 1 met', 'p50 1 met', 'p99 1 met', 'route 1 met'])
  t.strictSame(measures(idle(), { heap: 1, rss: 1 }), ['heap 1 met', 'rss 1 met'])
  t.strictSame(measures(join(), { p50: 1, p99: 1, roundTrips: 2 }), ['p50 1 met', 'p99 1 met', 'roundTrips 1 met'])
  t.strictSame(measures(start(), { time: 1 }), ['time 1 met'])
})
