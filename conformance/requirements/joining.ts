import { newId } from '../client.ts'
import { holds, requirement, same } from '../requirement.ts'

export const joining = [
  requirement('6.2', 'an empty room is joined with no messages and a position', async (server) => {
    const room = server.room()
    const { joined: { messages, complete, members, count }, welcome: { member } } = await server.enterRoom(room)
    same({ messages, complete, count }, { messages: [], complete: true, count: 1 }, 'joined')
    same(members, [member], 'who is here')
  }),

  requirement('6.1', 'a fresh join has the newest messages, oldest first, as many as asked for', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    for (const text of ['one', 'two', 'three']) await ada.post(room, text)
    const bob = await server.enter()
    const { messages, position, complete } = await bob.join(room, { history: 2 })
    same(messages.map(({ text }) => text), ['two', 'three'], 'messages')
    same({ position, complete }, { position: messages.at(-1)?.position, complete: true }, 'its place')
  }),

  requirement('6.1', 'a fresh join is complete, also where there is more than was asked for', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    for (const text of ['one', 'two']) await ada.post(room, text)
    const bob = await server.enter()
    same((await bob.join(room, { history: 1 })).complete, true, 'complete')
  }),

  requirement('6.1', 'history: 0 gives a place and no messages', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    const { position } = await ada.post(room, 'one')
    const bob = await server.enter()
    const joined = await bob.join(room, { history: 0 })
    same({ messages: joined.messages, position: joined.position }, { messages: [], position }, 'joined')
  }),

  requirement('19.2', 'between what joined has and what follows nothing is lost or doubled', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    const texts = Array.from({ length: 12 }, (_, i) => `message ${i}`)
    const joins = []
    for (const text of texts) {
      ada.say({ type: 'post', room, id: newId(), text })
      joins.push(server.enterRoom(room))
    }
    for (const client of await Promise.all(joins)) {
      same((await client.gather(client.joined, texts.length)).map(({ text }) => text), texts, 'what a client has that joined meanwhile')
      await client.hearNothing()
    }
  }),

  requirement('6.1', 'a room is joined once on a connection', async (server) => {
    const room = server.room()
    const client = await server.enterRoom(room)
    client.say({ type: 'join', room })
    same((await client.hearError('already_joined')).room, room, 'the room')
    await client.post(room, 'still here')
  }),

  requirement('6.1', 'a connection may be in several rooms, and they are apart', async (server) => {
    const [one, two] = [server.room(), server.room()]
    const ada = await server.enterRoom(one)
    await ada.join(two)
    const bob = await server.enterRoom(two)
    await ada.post(one, 'in one')
    await ada.post(two, 'in two')
    same((await bob.hear('message')).text, 'in two', 'what is heard in the second')
  }),

  requirement('17', 'one room more than limits.rooms is an error', async (server) => {
    const client = await server.enter()
    const { rooms = Infinity } = client.welcome.limits
    if (rooms > 200) return
    for (let i = 0; i < rooms; i++) {
      await client.join(server.room())
      await client.pace(client.welcome, 1)
    }
    const room = server.room()
    await client.pace(client.welcome, 1)
    client.say({ type: 'join', room })
    same((await client.hearError('too_many_rooms')).room, room, 'the room')
    holds(client.channel.socket.readyState === client.channel.socket.OPEN, 'the connection was closed')
  })
]
