import { newId } from '../client.ts'
import { holds, requirement, same } from '../requirement.ts'

export const posting = [
  requirement('7.2', 'a post comes back as a message, then its ack, with one position', async (server) => {
    const room = server.room()
    const client = await server.enterRoom(room)
    const { from } = await client.post(room, 'hello')
    same(from, client.welcome.member, 'whom it is from')
    await client.hearNothing()
  }),

  requirement('7.1', 'a text may be empty, and is not changed', async (server) => {
    const room = server.room()
    const client = await server.enterRoom(room)
    for (const text of ['', ' ', 'line\none', '\u0000', '"\\', '👩‍🚀 ﬁ', '<b>&amp;']) await client.post(room, text)
  }),

  requirement('7.1', 'data comes as it was given', async (server) => {
    const room = server.room()
    const client = await server.enterRoom(room)
    for (const data of [{ a: [1, null, { b: 'c' }] }, [], 'text', 0, false, null]) {
      same((await client.post(room, 'with data', { data })).data, data, 'data')
    }
    holds(!('data' in await client.post(room, 'without')), 'data came where none was given')
  }),

  requirement('7.1', 'data nested deeper than 16 levels is not valid', async (server) => {
    const room = server.room()
    const client = await server.enterRoom(room)
    const nested = (levels: number): unknown => levels === 0 ? 'core' : [nested(levels - 1)]
    await client.post(room, 'deep', { data: nested(16) })
    client.say({ type: 'post', room, id: 'p1', text: 'too deep', data: nested(17) })
    same((await client.hearError('invalid')).id, 'p1', 'the id')
  }),

  requirement('7.3', 'a post sent again on its connection gets its first ack, and is heard once', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    const bob = await server.enterRoom(room)
    const post = { type: 'post', room, id: newId(), text: 'once' }
    ada.say(post)
    const { position } = await ada.hear('message')
    await ada.hear('ack')
    ada.say({ ...post, since: ada.joined.position })
    const ack = await ada.hear('ack')
    same({ id: ack.id, position: ack.position }, { id: post.id, position }, 'the second ack')
    await ada.post(room, 'end')
    same([(await bob.hear('message')).text, (await bob.hear('message')).text], ['once', 'end'], 'what the other hears')
  }),

  requirement('19.4', 'a post whose ack was lost is stored once', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    const bob = await server.enterRoom(room)
    const post = { type: 'post', room, id: newId(), text: 'once', data: { n: 1 } }
    ada.say(post)
    const { position } = await bob.hear('message')
    ada.cut()
    const again = await server.enterRoom(room, { session: ada.welcome.session })
    again.say({ ...post, since: ada.joined.position })
    same((await again.hear('ack')).position, position, 'the position in the ack')
    await again.post(room, 'end')
    same((await bob.hear('message')).text, 'end', 'what the other hears next')
  }),

  requirement('19.4', 'a post that may not have arrived is stored once when it is sent again', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    const bob = await server.enterRoom(room)
    const post = { type: 'post', room, id: newId(), text: 'once' }
    ada.say(post)
    ada.cut()
    const again = await server.enter({ session: ada.welcome.session })
    await again.join(room, { after: ada.joined.position })
    again.say({ ...post, since: ada.joined.position })
    let acked
    while (acked === undefined) {
      const said = await again.hearOneOf('message', 'ack')
      if (said.type === 'ack') acked = said.position
    }
    same((await bob.hear('message')).position, acked, 'the position that the other hears')
    again.say({ type: 'post', room, id: newId(), text: 'end' })
    same((await bob.hear('message')).text, 'end', 'what the other hears next')
  }),

  requirement('7.3', 'a repeat of which the server can not know is refused as stale_post', async (server) => {
    const room = server.room()
    const client = await server.enterRoom(room)
    const id = newId()
    client.say({ type: 'post', room, id, text: 'when was that?', since: 'of-another-life-7' })
    same((await client.hearError('stale_post')).id, id, 'the id')
    await client.hearNothing()
  }),

  requirement('7.1', 'the id of another post is refused as reused_id', async (server) => {
    const room = server.room()
    const client = await server.enterRoom(room)
    const post = { type: 'post', room, id: newId(), text: 'one' }
    client.say(post)
    await client.hear('message')
    await client.hear('ack')
    for (const other of [{ text: 'two' }, { data: {} }, { data: null }]) {
      client.say({ ...post, ...other })
      same((await client.hearError('reused_id')).id, post.id, 'the id')
    }
    await client.hearNothing()
  }),

  requirement('7.3', 'a repeat may be written in another way', async (server) => {
    const room = server.room()
    const client = await server.enterRoom(room)
    const id = newId()
    client.say({ type: 'post', room, id, text: 'x', data: { a: [1, null] } })
    const { position } = await client.hear('message')
    await client.hear('ack')
    client.channel.socket.send(`{"id":"${id}","text":"\\u0078", "data": {"a":[1.0,null]},"room":"${room}","type":"post"}`)
    same((await client.hear('ack')).position, position, 'the position in the second ack')
    await client.hearNothing()
  }),

  requirement('7.3', 'a repeat is one within one room', async (server) => {
    const [one, two] = [server.room(), server.room()]
    const client = await server.enterRoom(one)
    await client.join(two)
    const id = newId()
    for (const room of [one, two]) {
      client.say({ type: 'post', room, id, text: 'x' })
      same((await client.hear('message')).room, room, 'the room of the message')
      await client.hear('ack')
    }
  }),

  requirement('7.1', 'ids of different members are different', async (server) => {
    const room = server.room()
    const id = newId()
    const positions = new Set()
    for (const text of ['one', 'two']) {
      const client = await server.enterRoom(room)
      client.say({ type: 'post', room, id, text })
      await client.hear('message')
      positions.add((await client.hear('ack')).position)
    }
    same(positions.size, 2, 'the number of positions')
  })
]
