import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import autoload from '@fastify/autoload'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { bare, listen } from '../support/app.ts'
import { raw, upgradeRequest } from '../support/raw-client.ts'
import { open } from '../support/websocket-client.ts'
import { besides, bothWork, type Neighbour } from './neighbour.ts'

const own: Neighbour = {
  async add (app) {
    await app.register(fastifyWebsocket)
    await app.register(async (scope) => route(scope))
  },
  async talk (t, port) {
    const { socket, next } = await open(t, `ws://127.0.0.1:${port}/own`)
    socket.send('hello')
    t.equal(await next(), 'own: hello')
  }
}

function route (app: FastifyInstance): void {
  app.get('/own', { websocket: true }, (socket) => {
    socket.on('message', (data) => socket.send(`own: ${String(data)}`))
  })
}

besides('an own @fastify/websocket with a route of its own,', own)

t.test('@fastify/autoload, which registers chat.js before websocket.js: both work', async (t) => {
  // Beside this file, so that the packages are found.
  const dir = await mkdtemp(join(import.meta.dirname, 'autoload-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  await writeFile(join(dir, 'chat.js'), "export { default } from '../../../src/index.ts'")
  await writeFile(join(dir, 'websocket.js'), "export { default } from '@fastify/websocket'")
  const app = bare(t)
  await app.register(autoload, { dir })
  await app.register(async (scope) => route(scope))
  await bothWork(t, app, own, await listen(app))
})

for (const [name, add] of [
  ['the chat alone', async () => {}],
  ['an own @fastify/websocket', own.add]
] as const) {
  t.test(`beside ${name}, an upgrade that nobody handles is answered and ended`, async (t) => {
    const app = bare(t)
    await add(app, t)
    await app.register((await import('../../src/index.ts')).default)
    const port = await listen(app)
    const client = await raw(t, port)
    client.socket.write(upgradeRequest('/nobody'))
    await client.ended
    t.match(String(client.received), /^HTTP\/1\.1 404 /)
    await app.close()
  })
}
