import { createServer } from 'node:http'
import { WebSocket, WebSocketServer, type ServerOptions } from 'ws'
import { serve } from './serve.ts'

/** A typical broadcast loop. */
serve(({ deflate }: { deflate?: true }) => {
  const server = createServer()
  // With the default threshold, messages of this size would not be compressed.
  const options: ServerOptions = deflate ? { perMessageDeflate: { threshold: 0 } } : {}
  const { clients } = new WebSocketServer({ server, ...options }).on('connection', (socket) => {
    socket.on('error', () => {})
    socket.on('message', (data, isBinary) => {
      for (const client of clients) {
        if (client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary })
      }
    })
  })
  return server
})
