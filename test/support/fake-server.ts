import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { WebSocketServer, type WebSocket } from 'ws'

type Message = Record<string, unknown> & { type: string }

/** Returns a fake server's answers to a client's message; undefined for the usual answer. */
export type Answer = (message: Message, connection: number) => Message[] | ((socket: WebSocket) => void) | undefined

/** Starts a server that can send messages that a real one can't. Resolves with its port and the received messages. */
export async function fakeServer (t: Test, answer: Answer = () => undefined): Promise<{ port: number, requests: Message[], server: WebSocketServer }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  const requests: Message[] = []
  let connections = 0
  server.on('connection', (socket) => {
    const connection = ++connections
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as Message
      requests.push(message)
      const given = answer(message, connection) ?? usual(message)
      if (typeof given === 'function') given(socket)
      else for (const sent of given) socket.send(JSON.stringify(sent))
    })
  })
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, requests, server }
}

export const welcome = {
  type: 'welcome', member: { id: 'me', name: '' }, session: 's', limits: { payload: 16_384, rooms: 20 }, heartbeat: 25_000
}

/** The `welcome` of a server that supports changes. */
export const welcomeWithChanges = { ...welcome, features: ['changes'] }

/** The `welcome` of a server that supports signals. */
export const welcomeWithSignals = { ...welcome, features: ['signals'] }

/** The `welcome` of a server that supports signals and read positions. */
export const welcomeWithReads = { ...welcome, features: ['signals', 'readPositions'] }

export function joined (room: unknown, rest: object = {}): Message {
  return { type: 'joined', room, members: [], count: 1, messages: [], position: 'p0', complete: true, ...rest }
}

export function message (room: unknown, position: string, text: string): Message {
  return { type: 'message', room, position, at: '2026-01-01T00:00:00.000Z', from: null, text }
}

export function changed (room: unknown, position: string, revision: string, rest: object): Message {
  return { type: 'changed', room, position, revision, ...rest }
}

function usual ({ type, room, id, position }: Message): Message[] {
  if (type === 'hello') return [welcome]
  if (type === 'join') return [joined(room)]
  if (type === 'leave') return [{ type: 'left', room }]
  if (type === 'post') return [{ type: 'ack', id, room, position: `p-${String(id)}` }]
  if (type === 'edit' || type === 'delete' || type === 'react') return [{ type: 'ack', id, room, position, revision: `r-${String(id)}` }]
  return type === 'ping' ? [{ type: 'pong', id }] : []
}
