import { once } from 'node:events'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { open } from './websocket-client.ts'

/** Returns a function that resolves when all sockets of the server are closed. Call it before the first connects. */
export function emptied (app: FastifyInstance): () => Promise<void> {
  const closed: Array<Promise<unknown>> = []
  app.server.on('connection', (socket) => closed.push(once(socket, 'close')))
  return async () => { await Promise.all(closed) }
}

/** Asserts that the echo and the chat of an app work over TCP. */
export async function works (t: Test, port: number, prefix = ''): Promise<void> {
  const echo = await open(t, `ws://127.0.0.1:${port}${prefix}/echo`)
  echo.socket.send('to the echo')
  t.equal(await echo.next(), 'to the echo')
  const chat = await open(t, `ws://127.0.0.1:${port}${prefix}/chat`)
  t.equal(await chat.next(), 'connected to WebSocket server')
  chat.socket.send('to the chat')
  t.equal(await chat.next(), 'to the chat')
  for (const { socket, closed } of [echo, chat]) {
    socket.close()
    await closed
  }
}
