import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { directory } from './directory.ts'
import { installed } from './executable.ts'
import { freePort } from './free-port.ts'
import { started } from './program.ts'

const program = installed('nginx')

export const { skip } = program

/** Starts an nginx on a free loopback port, stopped with the test. Returns the port. */
export async function nginx (t: Test, { http, server }: { http: string, server: string }): Promise<number> {
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
  // nginx logs its version once it listens.
  await started(t, program.path(), ['-p', prefix, '-c', 'nginx.conf', '-e', 'stderr']).printed(/ nginx\/\d/)
  return port
}
