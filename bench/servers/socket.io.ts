import { createServer, type Server } from 'node:http'
import { Redis } from 'ioredis'
import { serve } from './serve.ts'

/** The types of Socket.IO that are used here. The package is not a dependency, so its own types may be missing. */
interface SocketIO {
  readonly Server: new (server: Server, options: { adapter?: unknown }) => {
    on (event: 'connection', listener: (socket: { on (event: string, listener: (text: string) => void): void }) => void): void
    emit (event: string, text: string): void
  }
}

interface StreamsAdapter { createAdapter (client: Redis): unknown }

/** @param redis Unix socket of the Redis that several nodes share */
serve(async ({ redis }: { redis?: string }) => {
  const socketIO = await load('socket.io') as SocketIO
  const adapter = redis === undefined
    ? {}
    : { adapter: (await load('@socket.io/redis-streams-adapter') as StreamsAdapter).createAdapter(new Redis(redis)) }
  const server = createServer()
  const io = new socketIO.Server(server, adapter)
  io.on('connection', (socket) => socket.on('message', (text) => io.emit('message', text)))
  return server
})

function load (name: string): Promise<unknown> { return import(name) }
