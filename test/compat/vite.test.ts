import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'vite'
import { open } from '../support/websocket-client.ts'
import { besides, type Neighbour } from './neighbour.ts'

let token = ''

const server: Neighbour = {
  async add (app, t) {
    const root = await mkdtemp(join(tmpdir(), 'fastify-chat-vite-'))
    t.teardown(() => rm(root, { recursive: true, force: true }))
    const vite = await createServer({
      root,
      configFile: false,
      logLevel: 'error',
      appType: 'custom',
      optimizeDeps: { noDiscovery: true },
      server: { middlewareMode: true, watch: null, hmr: { server: app.server } }
    })
    vite.ws.on('question', (text: string, client) => client.send('answer', `${text}!`))
    token = vite.config.webSocketToken
    app.addHook('preClose', async () => await vite.close())
  },
  async talk (t, port) {
    const { socket, next } = await open(t, `ws://127.0.0.1:${port}/?token=${token}`, { protocol: 'vite-hmr' })
    t.match(await next(), /"connected"/)
    socket.send(JSON.stringify({ type: 'custom', event: 'question', data: 'hello' }))
    t.match(JSON.parse(String(await next())), { type: 'custom', event: 'answer', data: 'hello!' })
  }
}

besides("Vite's dev server in middleware mode, with HMR on app.server,", server)
