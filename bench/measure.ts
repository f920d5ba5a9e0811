import { join } from 'node:path'
import type { Contender } from './contenders.ts'
import type { Job, Outcome } from './generator/job.ts'
import type { Idle, Load, Traffic } from './loads/load.ts'
import { Nodes } from './nodes.ts'
import { Process } from './processes.ts'
import { Redis } from './redis.ts'
import type { Memory } from './servers/serve.ts'

/** The bottleneck. `rate`: the offered rate was reached. `machine`: neither process had its own core. */
export type Limit = 'server' | 'generator' | 'both' | 'rate' | 'machine'

/** One measurement of a contender under a load. CPU in cores. */
export interface TrafficSample {
  /** per second */
  readonly deliveries: number
  /** µs of server CPU per delivery */
  readonly cpu: number
  /** ms */
  readonly p50: number | undefined
  readonly p99: number | undefined
  readonly serverCpu: number
  readonly generatorCpu: number
  /** fraction of the offered posts that were made */
  readonly carried: number | undefined
  readonly limit: Limit
}

/** Bytes per connection. */
export interface IdleSample { readonly heap: number, readonly rss: number }

export type Sample = TrafficSample | IdleSample | { readonly invalid: string }

export interface MeasureOptions {
  /** of the window; `warmUp` precedes it */
  readonly seconds: number
  readonly warmUp: number
  /** folder for CPU profiles of the servers */
  readonly profile: string | undefined
}

/** ms that a process may take to answer, in addition to the duration of the call. */
const CALL_TIMEOUT = 60_000

/** Minimum CPU use of a saturated process, in cores. */
const BUSY = 0.9

/** Minimum fraction of an offered rate at which it counts as reached. */
const RATE_REACHED = 0.99

/** Members that join before memory is first read, so that loading and compiling are not counted. */
const WARM_UP_MEMBERS = 500

/** Measures in new processes, so that a contender leaves no state for the next one. */
export async function measure (load: Load, contender: Contender, options: MeasureOptions): Promise<Sample> {
  const redis = contender.redis && new Redis()
  const nodes = new Nodes(contender)
  const generator = new Process(join(import.meta.dirname, 'generator/main.ts'), [])
  try {
    const ports = await nodes.start({ ...contender.options, ...redis && { redis: await redis.ready() } })
    const measured = load.kind === 'idle' ? measureIdle(load) : measureTraffic(load)
    return await measured(nodes, generator, { contender, ports }, options)
  } catch (error) {
    return { invalid: (error as Error).message }
  } finally {
    await Promise.all([generator.end(), nodes.end()])
    await redis?.end()
  }
}

interface Target { readonly contender: Contender, readonly ports: readonly number[] }
type Measurement<S> = (nodes: Nodes, generator: Process, target: Target, options: MeasureOptions) => Promise<S>

function measureTraffic (load: Traffic): Measurement<Sample> {
  return async (nodes, generator, { contender, ports }, { seconds, warmUp, profile }) => {
    const { path, dialect } = contender
    const { compressed = false, binary = false, echo = false, roomSize = load.members, size, pattern } = load
    await generator.call('open', { ports, path, dialect, compressed, binary, echo, roomSize, size, pattern } satisfies Job, CALL_TIMEOUT)
    await generator.call('enter', load.members, CALL_TIMEOUT)
    await generator.call('run', warmUp, CALL_TIMEOUT + warmUp * 1_000)
    // All posts of the warm-up have arrived, so that the window counts exactly the deliveries whose cost it measures.
    const before = await nodes.call<NodeJS.CpuUsage>('begin', profile !== undefined)
    const outcome = await generator.call<Outcome>('run', seconds, CALL_TIMEOUT + seconds * 1_000)
    const after = await nodes.call<NodeJS.CpuUsage>('usage')
    if (profile !== undefined) await nodes.first.call('profile', join(profile, `${load.name}, ${contender.name}.cpuprofile`), CALL_TIMEOUT)
    return traffic(outcome, used(after) - used(before))
  }
}

/** Returns the CPU time of all nodes in µs. */
function used (usages: readonly NodeJS.CpuUsage[]): number {
  return usages.reduce((sum, { user, system }) => sum + user + system, 0)
}

function traffic ({ invalid, seconds, posts, offered, deliveries, p50, p99, cpu }: Outcome, used: number): Sample {
  if (invalid !== undefined) return { invalid }
  const serverCpu = used / 1e6 / seconds
  const generatorCpu = cpu / 1e6 / seconds
  const carried = offered === undefined ? undefined : posts / offered
  return {
    deliveries: deliveries / seconds,
    cpu: used / deliveries,
    p50,
    p99,
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

function measureIdle (load: Idle): Measurement<IdleSample> {
  return async ({ first: server }, generator, { contender: { path, dialect }, ports }) => {
    const pattern = { kind: 'closed', inFlight: 1 } as const
    const early = Math.min(WARM_UP_MEMBERS, Math.floor(load.members / 2))
    await generator.call('open', { ports, path, dialect, compressed: false, binary: false, echo: false, roomSize: load.members, size: 64, pattern } satisfies Job, CALL_TIMEOUT)
    await generator.call('enter', early, CALL_TIMEOUT)
    const before = await server.call<Memory>('memory', undefined, CALL_TIMEOUT)
    await generator.call('enter', load.members - early, CALL_TIMEOUT)
    const after = await server.call<Memory>('memory', undefined, CALL_TIMEOUT)
    const each = (what: 'heap' | 'external' | 'rss') => (after[what] - before[what]) / (load.members - early)
    return { heap: each('heap') + each('external'), rss: each('rss') }
  }
}
