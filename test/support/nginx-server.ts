import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort } from './free-port.ts'

const executable = find('nginx')
const missing = 'nginx is not installed (apt-get install nginx)'

/** The reason for which nginx tests are skipped; false where they run, and in CI, where they must. */
export const skip = executable === undefined && process.env['CI'] !== 'true' && missing

/** Starts an nginx on a free loopback port, stopped with the test. Returns the port. */
export async function nginx (t: Test, { http, server }: { http: string, server: string }): Promise<number> {
  if (executable === undefined) throw new Error(missing)
  const prefix = mkdtempSync(join(tmpdir(), 'nginx-'))
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
  const child = spawn(executable, ['-p', prefix, '-c', 'nginx.conf', '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
    rmSync(prefix, { recursive: true, force: true })
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

/** Debian installs it in a folder that isn't in every user's PATH. */
function find (command: string): string | undefined {
  try {
    return execFileSync('sh', ['-c', `PATH="$PATH:/usr/sbin:/sbin"; command -v ${command}`], { encoding: 'utf8' }).trim()
  } catch {
    return undefined
  }
}
