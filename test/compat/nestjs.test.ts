import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Line } from '../support/app.ts'
import { plainEnv } from '../support/packed.ts'
import { open } from '../support/websocket-client.ts'
import { bothWork, type Neighbour } from './neighbour.ts'

const gateway: Pick<Neighbour, 'talk'> = {
  async talk (t, port) {
    const { socket, next } = await open(t, `ws://127.0.0.1:${port}/live`)
    socket.send(JSON.stringify({ event: 'question', data: 'hello' }))
    t.strictSame(JSON.parse(String(await next())), { event: 'answer', data: 'hello!' })
  }
}

for (const order of ['before', 'after'] as const) {
  // In a process of its own: tap's loader does not resolve the exports of @nestjs/common 12.
  t.test(`a NestJS gateway beside a chat registered ${order} it: both work, and close() ends both`, async (t) => {
    const app = fileURLToPath(new URL('nestjs-app.ts', import.meta.url))
    const child = spawn(process.execPath, ['--import', 'tsx', app, order], { env: plainEnv, stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => child.kill('SIGKILL'))
    const ended = once(child, 'close')
    const lines: Line[] = []
    const port = await new Promise<number>((resolve, reject) => {
      createInterface(child.stdout).on('line', (text) => {
        const line = JSON.parse(text) as Line
        lines.push(line)
        const [, port] = /^Server listening at .*:(\d+)$/.exec(line.msg) ?? []
        if (port !== undefined) resolve(Number(port))
      })
      void ended.then(() => reject(new Error('the app ended')))
    })
    await bothWork(t, { lines, close: async () => { child.kill(); t.strictSame(await ended, [0, null]) } }, gateway, port)
  })
}
