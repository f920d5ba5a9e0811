import { newId } from '../client.ts'
import { holds, requirement, same } from '../requirement.ts'

export const errors = [
  requirement('17.1', 'beyond limits.burst a request is refused with rate_limited, and met after its retryAfter', async (server) => {
    const client = await server.enter()
    const { burst = Infinity } = client.welcome.limits
    if (burst > 200) return
    const ids = Array.from({ length: burst + 10 }, newId)
    for (const id of ids) client.say({ type: 'ping', id })
    const answers = []
    for (const id of ids) {
      const answer = await client.hearOneOf('pong', 'error')
      same(answer.id, id, 'the id of an answer')
      answers.push(answer)
    }
    const refused = answers.filter(({ type }) => type === 'error')
    for (const error of refused) if (error.type === 'error') same(error.code, 'rate_limited', 'the code of an error')
    holds(refused.length > 0, `${ids.length} pings at once were answered, though limits.burst is ${burst}`)
    const last = refused.at(-1)!
    const { retryAfter = 0 } = last.type === 'error' ? last : {}
    holds(retryAfter > 0, 'retryAfter is missing')
    await new Promise((resolve) => setTimeout(resolve, retryAfter))
    client.say({ type: 'ping', id: 'again' })
    same((await client.hear('pong')).id, 'again', 'the id of a pong')
  }),

  requirement('17.1', 'beyond limits.byteBurst a message is refused with rate_limited, and met after its retryAfter', async (server) => {
    const client = await server.enter()
    const { payload = Infinity, burst = Infinity, byteBurst = Infinity } = client.welcome.limits
    const bytes = Math.min(payload, byteBurst)
    const messages = Math.ceil(byteBurst / bytes) + 2
    if (bytes < 100 || messages > Math.min(burst, 200)) return
    const say = (id: string) => client.say({ type: 'ping', id, _: 'x'.repeat(bytes - 40 - id.length) })
    const ids = Array.from({ length: messages }, newId)
    for (const id of ids) say(id)
    let retryAfter = 0
    for (const id of ids) {
      const answer = await client.hearOneOf('pong', 'error')
      same(answer.id, id, 'the id of an answer')
      if (answer.type !== 'error') continue
      same(answer.code, 'rate_limited', 'the code of an error')
      retryAfter = answer.retryAfter ?? 0
    }
    holds(retryAfter > 0, `${messages} messages of ${bytes} bytes at once were answered, though limits.byteBurst is ${byteBurst}`)
    await new Promise((resolve) => setTimeout(resolve, retryAfter))
    say('again')
    same((await client.hear('pong')).id, 'again', 'the id of a pong')
  }),

  requirement('13', 'an error says which request it answers', async (server) => {
    const client = await server.client()
    const room = server.room()
    client.say({ type: 'join', room })
    same((await client.hearError('hello')).request, 'join', 'the request')
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
    for (const [wanted, request] of requests) {
      client.say(request)
      const { code, request: type, id, room: where } = await client.hear('error')
      const { type: asked, id: its, room: there } = request
      same({ code, type, id, where }, { code: wanted, type: asked, id: its, where: there }, `the error for ${asked}`)
    }
  }),

  requirement('13', 'an error for a frame that is not valid says what could be read of it', async (server) => {
    const client = await server.enter()
    const frames: ReadonlyArray<[frame: string, concerns: object]> = [
      ['rubbish', {}],
      ['{"type":"shout","id":"1","room":"lobby"}', { id: '1', room: 'lobby' }],
      ['{"type":"post","id":"","room":7}', { request: 'post' }],
      ['{"type":"ping"}', { request: 'ping' }]
    ]
    for (const [frame, concerns] of frames) {
      client.channel.socket.send(frame)
      const { type: _type, code: _code, message: _message, ...rest } = await client.hearError('invalid') as Record<string, unknown>
      same(rest, concerns, `what it says of ${frame}`)
    }
  })
]
