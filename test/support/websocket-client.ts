import { once } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { WebSocket, type ClientOptions } from 'ws'

/** A WebSocket client that queues the messages it receives. */
export interface Client {
  readonly socket: WebSocket
  /** Resolves with the next message in order: text as a string, binary as a Buffer. Rejects when the connection has ended. */
  next (): Promise<string | Buffer>
  /** Resolves when the connection has ended, before `next` rejects. */
  readonly closed: Promise<{ code: number, reason: string }>
}

/** Connects over TCP. The connection is terminated with the test. Rejects when the upgrade is refused. */
export async function open (t: Test, url: string, { protocol, ...options }: ClientOptions & { protocol?: string } = {}): Promise<Client> {
  const socket = new WebSocket(url, protocol, options)
  t.teardown(() => socket.terminate())
  const received: Array<string | Buffer> = []
  const waiting: Array<{ resolve: (message: string | Buffer) => void, reject: (error: Error) => void }> = []
  let ended: Error | undefined
  socket.on('message', (data: Buffer, isBinary) => {
    const message = isBinary ? data : data.toString()
    const next = waiting.shift()
    if (next === undefined) received.push(message)
    else next.resolve(message)
  })
  const closed = new Promise<{ code: number, reason: string }>((resolve) => {
    socket.on('close', (code, reason) => {
      resolve({ code, reason: reason.toString() })
      ended = new Error(`closed with ${code} ${reason.toString()}`)
      for (const { reject } of waiting.splice(0)) reject(ended)
    })
  })
  await once(socket, 'open')
  return {
    socket,
    closed,
    async next () {
      const message = received.shift()
      if (message !== undefined) return message
      if (ended !== undefined) throw ended
      return await new Promise((resolve, reject) => waiting.push({ resolve, reject }))
    }
  }
}

/** Resolves with the next `count` messages. */
export async function take ({ next }: Client, count: number): Promise<Array<string | Buffer>> {
  const messages: Array<string | Buffer> = []
  while (messages.length < count) messages.push(await next())
  return messages
}

/** Asserts that a server still serves new connections. */
export async function serves (t: Test, port: number): Promise<void> {
  const { socket, next } = await open(t, `ws://127.0.0.1:${port}/echo`)
  socket.send('still here')
  t.equal(await next(), 'still here')
  socket.terminate()
}

/** Requests an upgrade over TCP that must be refused. Resolves with the answer. */
export async function refused (url: string, options: ClientOptions = {}): Promise<{ status: number, headers: IncomingHttpHeaders, body: string }> {
  const socket = new WebSocket(url, options)
  const answers = [once(socket, 'unexpected-response'), once(socket, 'open')]
  const [, response] = await Promise.race(answers) as [unknown, IncomingMessage?]
  if (response === undefined) {
    socket.terminate()
    throw new Error(`${url} was upgraded`)
  }
  return { status: response.statusCode!, headers: response.headers, body: await text(response) }
}
