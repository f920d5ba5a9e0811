import { newId } from '../client.ts'
import { holds, requirement, same } from '../requirement.ts'

export const hello = [
  requirement('5.2', 'hello is answered with welcome', async (server) => {
    const { welcome: { member, limits: { payload = 1, rooms = 1 }, heartbeat } } = await server.enter()
    holds(member.id !== '', 'the member has no id')
    holds(payload > 0 && rooms > 0 && heartbeat > 0, 'a limit is 0')
  }),

  requirement('5.2', 'the session is 43 characters of base64url, and not the id', async (server) => {
    const { welcome: { session, member } } = await server.enter()
    holds(/^[A-Za-z0-9_-]{43}$/.test(session), `it is ${session}`)
    holds(!session.includes(member.id) && !member.id.includes(session), 'one is part of the other')
  }),

  requirement('5.1', 'with its session a client is the same member', async (server) => {
    const first = await server.enter()
    const again = await server.enter({ session: first.welcome.session })
    same(again.welcome.member.id, first.welcome.member.id, 'the id')
    same(again.welcome.session, first.welcome.session, 'the session')
  }),

  requirement('5.1', 'what was sent after a hello that is refused is refused too', async (server) => {
    const client = await server.client()
    const room = server.room()
    client.say({ type: 'hello', name: ' ', ...server.token() })
    client.say({ type: 'join', room })
    client.say({ type: 'hello', ...server.token() })
    await client.hearError('invalid')
    await client.hearError('hello')
    await client.hear('welcome')
    await client.join(room)
  }),

  requirement('5.1', 'what follows hello is handled after it, without waiting for welcome', async (server) => {
    const client = await server.client()
    const room = server.room()
    client.say({ type: 'hello', ...server.token() })
    client.say({ type: 'join', room })
    client.say({ type: 'post', room, id: newId(), text: 'in one go' })
    await client.hear('welcome')
    await client.hear('joined')
    same((await client.hear('message')).text, 'in one go', 'the text')
    await client.hear('ack')
  }),

  requirement('5.1', 'any other valid message before hello is an error', async (server) => {
    const client = await server.client()
    const room = server.room()
    client.say({ type: 'shout' })
    await client.hearError('invalid')
    client.say({ type: 'join', room })
    same((await client.hearError('hello')).room, room, 'the room')
    client.say({ type: 'post', room, id: 'p1', text: 'hi' })
    same((await client.hearError('hello')).id, 'p1', 'the id')
    await client.hello(server.token())
  }),

  requirement('5.1', 'a second hello is an error', async (server) => {
    const client = await server.enter()
    client.say({ type: 'hello', ...server.token() })
    await client.hearError('hello')
    await client.hearNothing()
  }),

  requirement('5.1', 'a hello answered with an error may be mended', async (server) => {
    const client = await server.client()
    client.say({ type: 'hello', session: 'too short', ...server.token() })
    await client.hearError('invalid')
    await client.hello(server.token())
  })
]
