import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { directory } from './directory.ts'
import { executable } from './executable.ts'
import { freePort } from './free-port.ts'

const program = executable('nginx')
const missing = 'nginx is not installed (apt-get install nginx)'

/** The reason why nginx tests are skipped; false if they run. In CI they must run. */
export const skip = program === undefined && process.env['CI'] !== 'true' && missing

/** Starts an nginx on a free loopback port, stopped with the test. Returns the port. */
export async function nginx (t: Test, { http, server }: { http: string, server: string }): Promise<number> {
  if (program === undefined) throw new Error(missing)
  const prefix = directory(t)
  mkdirSync(join(prefix, 'temp'))
  const port = await freePort()
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path temp/${kind};`)
  writeFileSync(join(prefix, 'nginx.conf'), `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr notice;
events { }
http {
  access_log off;
  ${temporary.join('\n  ')}
${http}
  server {
    listen 127.0.0.1:${port};
${server}
  }
}
`)
  const child = spawn(program, ['-p', prefix, '-c', 'nginx.conf', '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => { log += chunk })
  // nginx logs its version once it listens.
  while (!/ nginx\/\d/.test(log)) {
    const over = await Promise.race([once(child.stderr, 'data').then(() => false), ended.then(() => true)])
    if (over) throw new Error(`nginx did not start: ${log}`)
  }
  return port
}
