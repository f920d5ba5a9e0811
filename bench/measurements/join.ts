import type { JoinOutcome } from '../generator/job.ts'
import type { Join } from '../loads/load.ts'
import type { JoinSample } from '../sample.ts'
import { silentJob, type Measurement } from './measurement.ts'

/** Joins before those that are measured, so that loading and compiling are not counted. */
const WARM_UP_JOINS = 20

export function measureJoin ({ joins }: Join): Measurement<JoinSample> {
  return async (_nodes, generator, target) => {
    await generator.call('open', silentJob(target, 1))
    await generator.call('enter', 1)
    await generator.call('join', WARM_UP_JOINS)
    const { p50, p99 } = await generator.call<JoinOutcome>('join', joins)
    const { roundTrip } = target.contender
    return { p50, p99, roundTrips: roundTrip && Math.round(p50 / roundTrip) }
  }
}
