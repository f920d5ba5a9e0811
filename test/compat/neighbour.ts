import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import fastifyChat from '../../src/index.ts'
import { bare, listen, type Line } from '../support/app.ts'
import { protocol, V1Client } from '../support/v1-client.ts'
import { open } from '../support/websocket-client.ts'

/** Another package that serves WebSocket on the same HTTP server. */
export interface Neighbour {
  /** Registers it as its documentation shows. */
  add (app: FastifyInstance, t: Test): Promise<void>
  /** Runs a round trip of it. Its connection stays open until the test ends or the server closes it. */
  talk (t: Test, port: number): Promise<void>
}

/** Tests a neighbour beside the chat, registered before and after it. */
export function besides (name: string, neighbour: Neighbour): void {
  for (const order of ['before', 'after'] as const) {
    t.test(`${name} registered ${order} the chat: both work, and app.close() ends both`, async (t) => {
      const app = bare(t)
      if (order === 'before') await neighbour.add(app, t)
      await app.register(fastifyChat)
      if (order === 'after') await neighbour.add(app, t)
      const port = await listen(app)
      await bothWork(t, app, neighbour, port)
    })
  }
}

/** Talks to both, the chat first and last, closes the app, and checks that nothing was logged above info. */
export async function bothWork (
  t: Test, app: { close (): PromiseLike<unknown>, lines: Line[] }, neighbour: Pick<Neighbour, 'talk'>, port: number
): Promise<void> {
  const clients = [await echo(t, port), await chat(t, port)]
  await neighbour.talk(t, port)
  clients.push(await echo(t, port), await chat(t, port))
  await neighbour.talk(t, port)
  await app.close()
  for (const { closed } of clients) t.strictSame(await closed, { code: 1001, reason: 'the server is stopping' })
  t.strictSame(app.lines.filter(({ level }) => level >= 40), [])
}

interface Talking { readonly closed: Promise<{ code: number, reason: string }> }

/** Opens /echo and runs one round trip. */
export async function echo (t: Test, port: number): Promise<Talking> {
  const client = await open(t, `ws://127.0.0.1:${port}/echo`)
  client.socket.send('hello echo')
  t.equal(await client.next(), 'hello echo', '/echo')
  return client
}

/** Opens /chat, joins a room and posts to it. */
export async function chat (t: Test, port: number): Promise<Talking> {
  const client = new V1Client(await open(t, `ws://127.0.0.1:${port}/chat`, { protocol }))
  await client.hello()
  await client.join('tea')
  client.post('tea', 'hello room')
  t.match(await client.take(2), [{ type: 'message', text: 'hello room' }, { type: 'ack' }], '/chat')
  return client
}
