import { equal, ok } from '../assertions.ts'
import { newId } from '../client.ts'
import { requirement } from '../requirement.ts'

export const hello = [
  requirement('5.2', 'hello is answered with welcome', async (server) => {
    const { welcome: { member, limits: { payload = 1, rooms = 1 }, heartbeat } } = await server.welcomedClient()
    ok(member.id !== '', 'the id of the member is empty')
    ok(payload > 0 && rooms > 0 && heartbeat > 0, 'a limit is 0')
  }),

  requirement('5.2', 'the session is 43 characters of base64url and not derived from the id', async (server) => {
    const { welcome: { session, member } } = await server.welcomedClient()
    ok(/^[A-Za-z0-9_-]{43}$/.test(session), `the session is ${session}`)
    ok(!session.includes(member.id) && !member.id.includes(session), 'the session and the id contain each other')
  }),

  requirement('5.1', 'a client that sends a session is the same member', async (server) => {
    const first = await server.welcomedClient()
    const again = await server.welcomedClient({ session: first.welcome.session })
    equal(again.welcome.member.id, first.welcome.member.id, 'id')
    equal(again.welcome.session, first.welcome.session, 'session')
  }),

  requirement('5.1', 'a request after a refused hello is refused too', async (server) => {
    const client = await server.client()
    const room = server.room()
    client.send({ type: 'hello', name: ' ', ...server.token() })
    client.send({ type: 'join', room })
    client.send({ type: 'hello', ...server.token() })
    await client.receiveError('invalid')
    await client.receiveError('hello')
    await client.receive('welcome')
    await client.join(room)
  }),

  requirement('5.1', 'requests sent before welcome arrives are handled after hello', async (server) => {
    const client = await server.client()
    const room = server.room()
    client.send({ type: 'hello', ...server.token() })
    client.send({ type: 'join', room })
    client.send({ type: 'post', room, id: newId(), text: 'sent early' })
    await client.receive('welcome')
    await client.receive('joined')
    equal((await client.receive('message')).text, 'sent early', 'text')
    await client.receive('ack')
  }),

  requirement('5.1', 'a request before hello is answered with an error', async (server) => {
    const client = await server.client()
    const room = server.room()
    client.send({ type: 'shout' })
    await client.receiveError('invalid')
    client.send({ type: 'join', room })
    equal((await client.receiveError('hello')).room, room, 'room of the error')
    client.send({ type: 'post', room, id: 'p1', text: 'hi' })
    equal((await client.receiveError('hello')).id, 'p1', 'id')
    await client.hello(server.token())
  }),

  requirement('5.1', 'a second hello is answered with an error', async (server) => {
    const client = await server.welcomedClient()
    client.send({ type: 'hello', ...server.token() })
    await client.receiveError('hello')
    await client.receiveNothing()
  }),

  requirement('5.1', 'a hello that was answered with an error can be repeated', async (server) => {
    const client = await server.client()
    client.send({ type: 'hello', session: 'too short', ...server.token() })
    await client.receiveError('invalid')
    await client.hello(server.token())
  })
]
