import { equal, ok } from '../assertions.ts'
import { newId } from '../client.ts'
import { requirement } from '../requirement.ts'

export const joining = [
  requirement('6.2', 'joined of an empty room has a position and no messages', async (server) => {
    const room = server.room()
    const { joined: { messages, complete, members, count }, welcome: { member } } = await server.joinedClient(room)
    equal({ messages, complete, count }, { messages: [], complete: true, count: 1 }, 'joined')
    equal(members, [member], 'members')
  }),

  requirement('6.1', 'a join without a position returns the newest messages, oldest first, up to history', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    for (const text of ['one', 'two', 'three']) await ada.post(room, text)
    const bob = await server.welcomedClient()
    const { messages, position, complete } = await bob.join(room, { history: 2 })
    equal(messages.map(({ text }) => text), ['two', 'three'], 'messages')
    equal({ position, complete }, { position: messages.at(-1)?.position, complete: true }, 'position and completeness')
  }),

  requirement('6.1', 'a join without a position is complete, even if the room has more messages', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    for (const text of ['one', 'two']) await ada.post(room, text)
    const bob = await server.welcomedClient()
    equal((await bob.join(room, { history: 1 })).complete, true, 'complete')
  }),

  requirement('6.1', 'a join with history: 0 returns a position and no messages', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const { position } = await ada.post(room, 'one')
    const bob = await server.welcomedClient()
    const joined = await bob.join(room, { history: 0 })
    equal({ messages: joined.messages, position: joined.position }, { messages: [], position }, 'joined')
  }),

  requirement('19.2', 'the messages of joined and later messages have no gaps or duplicates', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const texts = Array.from({ length: 12 }, (_, i) => `message ${i}`)
    const joins = []
    for (const text of texts) {
      ada.send({ type: 'post', room, id: newId(), text })
      joins.push(server.joinedClient(room))
    }
    for (const client of await Promise.all(joins)) {
      equal((await client.receiveMessages(client.joined, texts.length)).map(({ text }) => text), texts, 'messages of a client that joined during the posts')
      await client.receiveNothing()
    }
  }),

  requirement('6.1', 'a second join of a room on a connection is answered with already_joined', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    client.send({ type: 'join', room })
    equal((await client.receiveError('already_joined')).room, room, 'room of the error')
    await client.post(room, 'still here')
  }),

  requirement('6.1', 'a connection can join several rooms, whose messages are separate', async (server) => {
    const [one, two] = [server.room(), server.room()]
    const ada = await server.joinedClient(one)
    await ada.join(two)
    const bob = await server.joinedClient(two)
    await ada.post(one, 'in one')
    await ada.post(two, 'in two')
    equal((await bob.receive('message')).text, 'in two', 'message in the second room')
  }),

  requirement('17', 'a join beyond limits.rooms is answered with too_many_rooms', async (server) => {
    const client = await server.welcomedClient()
    const { rooms = Infinity } = client.welcome.limits
    if (rooms > 200) return
    for (let i = 0; i < rooms; i++) {
      await client.join(server.room())
      await client.waitForRate(client.welcome, 1)
    }
    const room = server.room()
    await client.waitForRate(client.welcome, 1)
    client.send({ type: 'join', room })
    equal((await client.receiveError('too_many_rooms')).room, room, 'room of the error')
    ok(client.channel.socket.readyState === client.channel.socket.OPEN, 'the connection was closed')
  })
]
