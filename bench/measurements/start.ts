import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Program } from '../contenders.ts'
import type { Start } from '../loads/load.ts'
import { killAtExit } from '../processes.ts'
import type { StartSample } from '../sample.ts'

/** The directory of the project. */
const here = join(import.meta.dirname, '../..')

/** ms that a start may take. */
const START_TIMEOUT = 60_000

const register = join(here, 'bench/programs/register.js')

/** Measures one start in a new process. The file is run as it is: a loader would take most of the time. */
export async function measureStart ({ until }: Start, { file, arguments: args, root = here }: Program): Promise<StartSample> {
  const command = [...until === 'ready' ? [register] : [], join(root, file), ...args]
  const begun = performance.now()
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'inherit'], timeout: START_TIMEOUT })
  killAtExit(child)
  const ended = once(child, 'exit')
  try {
    for await (const line of createInterface(child.stdout)) {
      if (until === 'ready') return { time: Number(line) }
      if (line.includes('Server listening')) return { time: performance.now() - begun }
    }
    throw new Error(`${file} ended before the end of its start`)
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}
