import { join } from 'node:path'
import type { Contender, Server } from './contenders.ts'
import type { ClientRooms, ClientServer, Load } from './loads/load.ts'
import { measureJoin } from './measurements/join.ts'
import type { Measurement, MeasureOptions } from './measurements/measurement.ts'
import { measureClientRooms, measureIdle, measureRooms } from './measurements/memory.ts'
import { measureStart } from './measurements/start.ts'
import { measureTraffic } from './measurements/traffic.ts'
import { Nodes } from './nodes.ts'
import { Process } from './processes.ts'
import { Redis } from './redis.ts'
import type { Sample } from './sample.ts'

/** Measures in new processes, so that a contender leaves no state for the next one. */
export async function measure (load: Load, contender: Contender, options: MeasureOptions): Promise<Sample> {
  try {
    if (load.kind === 'start') return await measureStart(load, same(load.contenders, contender))
    if (load.kind === 'client-rooms') return await measureClient(load, same(load.contenders, contender))
    return await measureServer(same(load.contenders, contender), measurement(load), options)
  } catch (error) {
    return { invalid: (error as Error).message }
  }
}

/** Returns the contender with the type that it has in its load. */
function same<C extends Contender> (contenders: readonly C[], contender: Contender): C {
  return contenders.find((each) => each === contender)!
}

function measurement (load: Exclude<Load, { kind: 'start' | 'client-rooms' }>): Measurement<Sample> {
  switch (load.kind) {
    case 'traffic': return measureTraffic(load)
    case 'idle': return measureIdle(load)
    case 'rooms': return measureRooms(load)
    case 'join': return measureJoin(load)
  }
}

async function measureClient (load: ClientRooms, contender: ClientServer): Promise<Sample> {
  const nodes = new Nodes(contender)
  try {
    const [port] = await nodes.start(contender.options)
    return await measureClientRooms(load, contender, port!)
  } finally {
    await nodes.end()
  }
}

/** The generator's own collections would be part of the latencies that it measures: with 16 MB, it collects twice a second for 3 ms. */
const RARE_SCAVENGES = ['--min-semi-space-size=128', '--max-semi-space-size=128']

async function measureServer (contender: Server, measured: Measurement<Sample>, options: MeasureOptions): Promise<Sample> {
  const redis = contender.redis && new Redis(contender.roundTrip)
  const nodes = new Nodes(contender)
  const generator = new Process(join(import.meta.dirname, 'generator/main.ts'), RARE_SCAVENGES)
  try {
    const ports = await nodes.start({ ...contender.options, ...redis && { redis: await redis.ready() } })
    return await measured(nodes, generator, { contender, ports }, options)
  } finally {
    await Promise.all([generator.end(), nodes.end()])
    await redis?.end()
  }
}
