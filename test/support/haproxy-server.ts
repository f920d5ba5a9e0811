import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import { directory } from './directory.ts'
import { executable } from './executable.ts'
import { freePort } from './free-port.ts'

const program = executable('haproxy')
const missing = 'haproxy is not installed (apt-get install haproxy)'

/** The reason for which haproxy tests are skipped; false where they run, and in CI, where they must. */
export const skip = program === undefined && process.env['CI'] !== 'true' && missing

/** Starts a haproxy on a free loopback port instead of port 80, stopped with the test. Returns the port. */
export async function haproxy (t: Test, configuration: string): Promise<number> {
  if (program === undefined) throw new Error(missing)
  const port = await freePort()
  const file = join(directory(t), 'haproxy.cfg')
  writeFileSync(file, configuration.replace('bind :80', `bind 127.0.0.1:${port}`))
  const child = spawn(program, ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => { log += chunk })
  // haproxy logs nothing once it listens.
  while (!await accepts(port)) {
    if (child.exitCode !== null) throw new Error(`haproxy did not start: ${log}`)
  }
  return port
}

async function accepts (port: number): Promise<boolean> {
  const socket = createConnection({ port, host: '127.0.0.1' })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
