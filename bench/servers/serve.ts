import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import type { AddressInfo, Server } from 'node:net'
import { answerCalls } from '../calls.ts'
import { memory } from '../memory.ts'

/** Runs one server in this process until its parent ends it. */
export function serve<Options> (start: (options: Options) => Server | Promise<Server>): void {
  answerCalls({
    async start (options: Options): Promise<number> {
      const server = await start(options)
      if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening')
      return (server.address() as AddressInfo).port
    },
    /** Collects garbage, so that each window begins with an empty nursery. @param profiled whether to record a CPU profile */
    async begin (profiled: boolean): Promise<NodeJS.CpuUsage> {
      if (profiled) await profiler.start()
      globalThis.gc!()
      return process.cpuUsage()
    },
    usage: () => process.cpuUsage(),
    /** Writes the profile that `begin` started. */
    profile: (file: string) => profiler.write(file),
    memory
  })
}

const session = new Session()

/** Profiles only the window and only the serving thread. `--cpu-prof` would include the start and the loader's thread. */
const profiler = {
  async start (): Promise<void> {
    session.connect()
    await session.post('Profiler.enable')
    await session.post('Profiler.start')
  },
  async write (file: string): Promise<void> {
    const { profile } = await session.post('Profiler.stop')
    writeFileSync(file, JSON.stringify(profile))
  }
}
