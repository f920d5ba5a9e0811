import { equal, ok } from '../assertions.ts'
import { newId } from '../client.ts'
import { requirement } from '../requirement.ts'

export const errors = [
  requirement('17.1', 'a request beyond limits.burst is rate_limited, and accepted after retryAfter', async (server) => {
    const client = await server.welcomedClient()
    const { burst = Infinity } = client.welcome.limits
    if (burst > 200) return
    const ids = Array.from({ length: burst + 10 }, newId)
    for (const id of ids) client.send({ type: 'ping', id })
    const answers = []
    for (const id of ids) {
      const answer = await client.receiveOneOf('pong', 'error')
      equal(answer.id, id, 'id of the answer')
      answers.push(answer)
    }
    const refused = answers.filter(({ type }) => type === 'error')
    for (const error of refused) if (error.type === 'error') equal(error.code, 'rate_limited', 'code of the error')
    ok(refused.length > 0, `${ids.length} pings at once were answered, although limits.burst is ${burst}`)
    const last = refused.at(-1)!
    const { retryAfter = 0 } = last.type === 'error' ? last : {}
    ok(retryAfter > 0, 'the error has no retryAfter')
    await new Promise((resolve) => setTimeout(resolve, retryAfter))
    client.send({ type: 'ping', id: 'again' })
    equal((await client.receive('pong')).id, 'again', 'id of the pong')
  }),

  requirement('17.1', 'a message beyond limits.byteBurst is rate_limited, and accepted after retryAfter', async (server) => {
    const client = await server.welcomedClient()
    const { payload = Infinity, burst = Infinity, byteBurst = Infinity } = client.welcome.limits
    const bytes = Math.min(payload, byteBurst)
    const messages = Math.ceil(byteBurst / bytes) + 2
    if (bytes < 100 || messages > Math.min(burst, 200)) return
    const send = (id: string) => client.send({ type: 'ping', id, _: 'x'.repeat(bytes - 40 - id.length) })
    const ids = Array.from({ length: messages }, newId)
    for (const id of ids) send(id)
    let retryAfter = 0
    for (const id of ids) {
      const answer = await client.receiveOneOf('pong', 'error')
      equal(answer.id, id, 'id of the answer')
      if (answer.type !== 'error') continue
      equal(answer.code, 'rate_limited', 'code of the error')
      retryAfter = answer.retryAfter ?? 0
    }
    ok(retryAfter > 0, `${messages} messages of ${bytes} bytes at once were answered, although limits.byteBurst is ${byteBurst}`)
    await new Promise((resolve) => setTimeout(resolve, retryAfter))
    send('again')
    equal((await client.receive('pong')).id, 'again', 'id of the pong')
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
