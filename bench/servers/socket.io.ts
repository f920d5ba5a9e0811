import { createServer, type Server } from 'node:http'
import { serve } from './serve.ts'

/** What is used of it: the package is not a dependency of the project, so its types may be missing. */
interface SocketIO {
  readonly Server: new (server: Server) => {
    on (event: 'connection', listener: (socket: { on (event: string, listener: (text: string) => void): void }) => void): void
    emit (event: string, text: string): void
  }
}

serve(async () => {
  const name: string = 'socket.io'
  const socketIO = await import(name) as SocketIO
  const server = createServer()
  const io = new socketIO.Server(server)
  io.on('connection', (socket) => socket.on('message', (text) => io.emit('message', text)))
  return server
})
