import { redisNode, v1 } from '../contenders.ts'
import type { Join } from './load.ts'

/** ms that a round trip to the delayed Redis takes, much longer than the work of a join. */
const ROUND_TRIP = 20

const delayed = `redis, ${ROUND_TRIP} ms away`

/** Measures a join of a room that its node doesn't hold yet. With a delay, the latency is a multiple of the round trip. */
export const join: Join = {
  kind: 'join',
  name: 'join',
  title: '100 joins of rooms that nobody has joined, one after another, v1: time of a join',
  joins: 100,
  contenders: [v1('memory'), { ...redisNode, name: 'redis' }, { ...redisNode, name: delayed, roundTrip: ROUND_TRIP }],
  targets: [
    { ours: 'redis', control: 'memory', measure: 'p50' },
    { ours: delayed, measure: 'roundTrips', atMost: 2 }
  ]
}
