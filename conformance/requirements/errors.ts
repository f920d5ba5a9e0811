import { equal, ok } from '../assertions.ts'
import { newId, type Client } from '../client.ts'
import { requirement } from '../requirement.ts'

/**
 * Sends pings at once, and one more after the last `retryAfter`. Rejects with a Violation unless the server refuses some of the
 * first and accepts the last.
 * @param violation message of the error if the server refuses none
 */
async function exceed (client: Client, count: number, send: (id: string) => void, violation: string): Promise<void> {
  const ids = Array.from({ length: count }, newId)
  for (const id of ids) send(id)
  let retryAfter: number | undefined
  for (const id of ids) {
    const answer = await client.receiveOneOf('pong', 'error')
    equal(answer.id, id, 'id of the answer')
    if (answer.type !== 'error') continue
    equal(answer.code, 'rate_limited', 'code of the error')
    retryAfter = answer.retryAfter ?? 0
  }
  ok(retryAfter !== undefined, violation)
  ok(retryAfter > 0, 'the error has no retryAfter')
  await new Promise((resolve) => setTimeout(resolve, retryAfter))
  send('again')
  equal((await client.receive('pong')).id, 'again', 'id of the pong')
}

export const errors = [
  requirement('17.1', 'a request beyond limits.burst is rate_limited, and accepted after retryAfter', async (server) => {
    const client = await server.welcomedClient()
    const { burst = Infinity } = client.welcome.limits
    if (burst > 200) return
    const pings = burst + 10
    await exceed(client, pings, (id) => client.send({ type: 'ping', id }), `${pings} pings at once were answered, although limits.burst is ${burst}`)
  }),

  requirement('17.1', 'a message beyond limits.byteBurst is rate_limited, and accepted after retryAfter', async (server) => {
    const client = await server.welcomedClient()
    const { payload = Infinity, burst = Infinity, byteBurst = Infinity } = client.welcome.limits
    const bytes = Math.min(payload, byteBurst)
    const messages = Math.ceil(byteBurst / bytes) + 2
    if (bytes < 100 || messages > Math.min(burst, 200)) return
    const send = (id: string) => client.send({ type: 'ping', id, _: 'x'.repeat(bytes - 40 - id.length) })
    await exceed(client, messages, send, `${messages} messages of ${bytes} bytes at once were answered, although limits.byteBurst is ${byteBurst}`)
  }),

  requirement('13', 'an error has the type, id and room of its request', async (server) => {
    const client = await server.client()
    const room = server.room()
    client.send({ type: 'join', room })
    equal((await client.receiveError('hello')).request, 'join', 'request of the error')
    await client.hello(server.token())
    await client.join(room)
    const elsewhere = server.room()
    const requests: ReadonlyArray<[code: string, request: { type: string } & Record<string, unknown>]> = [
      ['hello', { type: 'hello', ...server.token() }],
      ['already_joined', { type: 'join', room }],
      ['not_joined', { type: 'leave', room: elsewhere }],
      ['not_joined', { type: 'post', room: elsewhere, id: 'p1', text: 'hi' }],
      ['not_joined', { type: 'typing', room: elsewhere }],
      ['not_joined', { type: 'history', room: elsewhere, before: 'x', limit: 1 }],
      ['invalid', { type: 'post', room, id: 'p2', text: 7 }],
      ['invalid', { type: 'history', room, before: 'x', limit: 0 }]
    ]
    for (const [expectedCode, request] of requests) {
      client.send(request)
      const { code, request: type, id, room: where } = await client.receive('error')
      const { type: asked, id: its, room: there } = request
      equal({ code, type, id, where }, { code: expectedCode, type: asked, id: its, where: there }, `error for ${asked}`)
    }
  }),

  requirement('13', 'an error for an invalid frame has the valid parts of its request', async (server) => {
    const client = await server.welcomedClient()
    const frames: ReadonlyArray<[frame: string, expected: object]> = [
      ['rubbish', {}],
      ['{"type":"shout","id":"1","room":"lobby"}', { id: '1', room: 'lobby' }],
      ['{"type":"post","id":"","room":7}', { request: 'post' }],
      ['{"type":"ping"}', { request: 'ping' }]
    ]
    for (const [frame, expected] of frames) {
      client.channel.socket.send(frame)
      const { type: _type, code: _code, message: _message, ...rest } = await client.receiveError('invalid') as Record<string, unknown>
      equal(rest, expected, `error for ${frame}`)
    }
  })
]
