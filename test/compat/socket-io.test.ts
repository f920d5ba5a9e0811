import { Server, type ServerOptions } from 'socket.io'
import { io, type Socket } from 'socket.io-client'
import { besides, type Neighbour } from './neighbour.ts'

function socketIo (options: Partial<ServerOptions>, transports?: string[]): Neighbour {
  return {
    async add (app) {
      const server = new Server(app.server, options)
      server.on('connection', (socket) => {
        socket.on('question', (text: string, answer: (text: string) => void) => answer(`${text}!`))
      })
      // As fastify-socket.io does.
      app.addHook('preClose', (done) => {
        server.local.disconnectSockets(true)
        done()
      })
      app.addHook('onClose', async () => await server.close())
    },
    async talk (t, port) {
      const socket: Socket = io(`http://127.0.0.1:${port}`, { reconnection: false, forceNew: true, ...transports && { transports } })
      t.teardown(() => { socket.close() })
      await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject))
      const { engine } = socket.io
      if (engine.transport.name !== 'websocket') await new Promise((resolve) => engine.once('upgrade', resolve))
      t.equal(await socket.emitWithAck('question', 'hello'), 'hello!')
      t.equal(engine.transport.name, 'websocket')
    }
  }
}

besides('Socket.IO over WebSocket alone', socketIo({ transports: ['websocket'] }, ['websocket']))
besides('Socket.IO with its default transports', socketIo({}))
besides('Socket.IO with its default transports and compression', socketIo({ perMessageDeflate: true }))
