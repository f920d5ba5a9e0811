import proxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import { WebSocketServer } from 'ws'
import { listen } from '../support/app.ts'
import { open } from '../support/websocket-client.ts'
import { besides, type Neighbour } from './neighbour.ts'

const server: Neighbour = {
  async add (app, t) {
    const upstream = Fastify({ forceCloseConnections: true })
    const sockets = new WebSocketServer({ server: upstream.server })
    sockets.on('connection', (socket) => {
      socket.on('message', (data) => socket.send(`upstream: ${String(data)}`))
    })
    t.teardown(async () => {
      for (const client of sockets.clients) client.terminate()
      await upstream.close()
    })
    const port = await listen(upstream)
    await app.register(proxy, { upstream: `http://127.0.0.1:${port}`, prefix: '/upstream', websocket: true })
  },
  async talk (t, port) {
    const { socket, next } = await open(t, `ws://127.0.0.1:${port}/upstream`)
    socket.send('hello')
    t.equal(await next(), 'upstream: hello')
  }
}

besides('@fastify/http-proxy with websocket: true', server)
