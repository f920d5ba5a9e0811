import { createRequire } from 'node:module'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import { execFileSync } from 'node:child_process'

const require = createRequire(import.meta.url)

/** load: average of the last minute. */
export type Machine = Readonly<Record<string, string | number> & { load: number }>

/** Returns the machine and the versions that were measured. */
export function machine (): Machine {
  return {
    date: new Date().toISOString(),
    commit: commit(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    fastify: version('fastify'),
    ws: version('ws'),
    'socket.io': version('socket.io'),
    load: Number(loadavg()[0]!.toFixed(2))
  }
}

function version (name: string): string {
  try {
    return (require(`${name}/package.json`) as { version: string }).version
  } catch {
    return 'not installed'
  }
}

function commit (): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim()
  } catch {
    return 'unknown'
  }
}
