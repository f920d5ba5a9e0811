import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import { directory } from './directory.ts'
import { installed } from './executable.ts'
import { freePort } from './free-port.ts'
import { started } from './program.ts'

const program = installed('haproxy')

export const { skip } = program

/** Starts a haproxy on a free loopback port instead of port 80, stopped with the test. Returns the port. */
export async function haproxy (t: Test, configuration: string): Promise<number> {
  const port = await freePort()
  const file = join(directory(t), 'haproxy.cfg')
  writeFileSync(file, configuration.replace('bind :80', `bind 127.0.0.1:${port}`))
  const { child, ended } = started(t, program.path(), ['-db', '-f', file])
  // haproxy logs nothing once it listens.
  while (!await accepts(port)) {
    if (child.exitCode !== null) throw new Error(`haproxy did not start: ${(await ended).output}`)
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
