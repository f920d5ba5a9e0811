import { join } from 'node:path'
import type { ClientJob } from '../client/main.ts'
import type { ClientRooms, ClientServer, Idle, Rooms } from '../loads/load.ts'
import type { Memory } from '../memory.ts'
import { Process } from '../processes.ts'
import type { MemorySample } from '../sample.ts'
import { silentJob, type Measurement } from './measurement.ts'

/** Members that join before memory is first read, so that loading and compiling are not counted. */
const WARM_UP_MEMBERS = 500

export function measureIdle ({ members, roomSize = members }: Idle): Measurement<MemorySample> {
  return async ({ first: server }, generator, target) => {
    const early = Math.min(WARM_UP_MEMBERS, Math.floor(members / 2))
    await generator.call('open', silentJob(target, roomSize))
    await generator.call('enter', early)
    return await growth(server, members - early, () => generator.call('enter', members - early))
  }
}

export function measureRooms ({ members, roomSize, joins, per }: Rooms): Measurement<MemorySample> {
  return async ({ first: server }, generator, target) => {
    await generator.call('open', silentJob(target, roomSize))
    await generator.call('enter', members)
    await generator.call('join', 1)
    const memberships = members * joins
    return await growth(server, per === 'room' ? memberships / roomSize : memberships, () => generator.call('join', joins))
  }
}

/** Measures the process of a client that joins rooms. */
export async function measureClientRooms ({ rooms, messages }: ClientRooms, { timelines }: ClientServer, port: number): Promise<MemorySample> {
  const client = new Process(join(import.meta.dirname, '../client/main.ts'), ['--expose-gc'])
  try {
    const job: ClientJob = { port, rooms, messages, timelines }
    await client.call('open', job)
    return await growth(client, rooms, () => client.call('join', job))
  } finally {
    await client.end()
  }
}

/** Resolves with the memory that a change takes, for each of `count`. */
async function growth (process: Process, count: number, change: () => Promise<unknown>): Promise<MemorySample> {
  const before = await process.call<Memory>('memory')
  await change()
  const after = await process.call<Memory>('memory')
  const each = (what: 'heap' | 'external' | 'rss') => (after[what] - before[what]) / count
  return { heap: each('heap') + each('external'), rss: each('rss') }
}
