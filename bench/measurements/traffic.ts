import { join } from 'node:path'
import type { Job, Outcome } from '../generator/job.ts'
import type { Traffic } from '../loads/load.ts'
import { Requests } from '../requests.ts'
import type { Limit, Sample } from '../sample.ts'
import type { Measurement } from './measurement.ts'

/** Minimum CPU use of a saturated process, in cores. */
const BUSY = 0.9

/** Minimum fraction of an offered rate at which it counts as reached. */
const RATE_REACHED = 0.99

export function measureTraffic (load: Traffic): Measurement<Sample> {
  return async (nodes, generator, { contender, ports }, { seconds, warmUp, profile }) => {
    const { path, dialect } = contender
    const { compressed = false, binary = false, echo = false, roomSize = load.members, size, pattern } = load
    await generator.call('open', { ports, path, dialect, compressed, binary, echo, roomSize, size, pattern } satisfies Job)
    await generator.call('enter', load.members)
    const requests = contender.requests && new Requests(ports[0]!)
    try {
      await requests?.begin()
      await generator.call('run', warmUp, warmUp * 1_000)
      // All posts of the warm-up have arrived, so that the window counts exactly the deliveries whose cost it measures.
      const before = await nodes.call<NodeJS.CpuUsage>('begin', profile !== undefined)
      requests?.clear()
      const outcome = await generator.call<Outcome>('run', seconds, seconds * 1_000)
      const after = await nodes.call<NodeJS.CpuUsage>('usage')
      const route = await requests?.end()
      if (profile !== undefined) await nodes.first.call('profile', join(profile, `${load.name}, ${contender.name}.cpuprofile`))
      return traffic(outcome, used(after) - used(before), route)
    } finally {
      requests?.close()
    }
  }
}

/** Returns the CPU time of all nodes in µs. */
function used (usages: readonly NodeJS.CpuUsage[]): number {
  return usages.reduce((sum, { user, system }) => sum + user + system, 0)
}

function traffic ({ invalid, seconds, posts, offered, deliveries, p50, p99, cpu }: Outcome, used: number, route: number | undefined): Sample {
  if (invalid !== undefined) return { invalid }
  const serverCpu = used / 1e6 / seconds
  const generatorCpu = cpu / 1e6 / seconds
  const carried = offered === undefined ? undefined : posts / offered
  return {
    deliveries: deliveries / seconds,
    cpu: used / deliveries,
    p50,
    p99,
    route,
    serverCpu,
    generatorCpu,
    carried,
    limit: carried !== undefined && carried >= RATE_REACHED ? 'rate' : limitOf(serverCpu, generatorCpu)
  }
}

function limitOf (serverCpu: number, generatorCpu: number): Limit {
  if (generatorCpu >= BUSY) return serverCpu >= BUSY ? 'both' : 'generator'
  return serverCpu >= BUSY ? 'server' : 'machine'
}
