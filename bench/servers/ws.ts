import { createServer } from 'node:http'
import { WebSocket, WebSocketServer, type ServerOptions } from 'ws'
import { serve } from './serve.ts'

/** A typical broadcast loop: a set of sockets for each room, and nothing else. */
serve(({ deflate }: { deflate?: true }) => {
  const server = createServer()
  // With the default threshold, messages of this size would not be compressed.
  const options: ServerOptions = deflate ? { perMessageDeflate: { threshold: 0 } } : {}
  const rooms = new Map<string, Set<WebSocket>>()
  new WebSocketServer({ server, ...options }).on('connection', (socket, { url }) => {
    const room = rooms.get(url!) ?? new Set()
    rooms.set(url!, room.add(socket))
    socket.on('error', () => {})
    socket.on('close', () => {
      room.delete(socket)
      if (room.size === 0) rooms.delete(url!)
    })
    socket.on('message', (data, isBinary) => {
      for (const client of room) {
        if (client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary })
      }
    })
  })
  return server
})
