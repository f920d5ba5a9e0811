import { WebSocketServer } from 'ws'
import { open } from '../support/websocket-client.ts'
import { besides, type Neighbour } from './neighbour.ts'

const server: Neighbour = {
  async add (app) {
    const server = new WebSocketServer({ server: app.server, path: '/live' })
    server.on('connection', (socket) => {
      socket.on('message', (data) => socket.send(`live: ${String(data)}`))
    })
    app.addHook('preClose', (done) => {
      for (const client of server.clients) client.close(1001)
      done()
    })
  },
  async talk (t, port) {
    const { socket, next } = await open(t, `ws://127.0.0.1:${port}/live`)
    socket.send('hello')
    t.equal(await next(), 'live: hello')
  }
}

besides('a WebSocketServer of ws with a path', server)
