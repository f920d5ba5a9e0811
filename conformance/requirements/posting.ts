import { equal, ok } from '../assertions.ts'
import { newId } from '../client.ts'
import { requirement } from '../requirement.ts'

export const posting = [
  requirement('7.2', 'the sender receives the message, then the ack, with the same position', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    const { from } = await client.post(room, 'hello')
    equal(from, client.welcome.member, 'from')
    await client.receiveNothing()
  }),

  requirement('7.1', 'a text can be empty and is delivered unchanged', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    for (const text of ['', ' ', 'line\none', '\u0000', '"\\', '👩‍🚀 ﬁ', '<b>&amp;']) await client.post(room, text)
  }),

  requirement('7.1', 'data is delivered unchanged', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    for (const data of [{ a: [1, null, { b: 'c' }] }, [], 'text', 0, false, null]) {
      equal((await client.post(room, 'with data', { data })).data, data, 'data')
    }
    ok(!('data' in await client.post(room, 'without')), 'a post without data was delivered with data')
  }),

  requirement('7.1', 'data with more than 16 levels of nesting is invalid', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    const nested = (levels: number): unknown => levels === 0 ? 'core' : [nested(levels - 1)]
    await client.post(room, 'deep', { data: nested(16) })
    client.send({ type: 'post', room, id: 'p1', text: 'too deep', data: nested(17) })
    equal((await client.receiveError('invalid')).id, 'p1', 'id of the error')
  }),

  requirement('7.3', 'a post that is repeated on its connection is delivered once and acknowledged again', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const bob = await server.joinedClient(room)
    const post = { type: 'post', room, id: newId(), text: 'once' }
    ada.send(post)
    const { position } = await ada.receive('message')
    await ada.receive('ack')
    ada.send({ ...post, since: ada.joined.position })
    const ack = await ada.receive('ack')
    equal({ id: ack.id, position: ack.position }, { id: post.id, position }, 'second ack')
    await ada.post(room, 'end')
    equal([(await bob.receive('message')).text, (await bob.receive('message')).text], ['once', 'end'], 'texts at the other member')
  }),

  requirement('19.4', 'a post whose ack was lost is stored once', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const bob = await server.joinedClient(room)
    const post = { type: 'post', room, id: newId(), text: 'once', data: { n: 1 } }
    ada.send(post)
    const { position } = await bob.receive('message')
    ada.terminate()
    const again = await server.joinedClient(room, { session: ada.welcome.session })
    again.send({ ...post, since: ada.joined.position })
    equal((await again.receive('ack')).position, position, 'position in the ack')
    await again.post(room, 'end')
    equal((await bob.receive('message')).text, 'end', 'next text at the other member')
  }),

  requirement('19.4', 'a post with an unknown outcome is stored once when it is repeated', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const bob = await server.joinedClient(room)
    const post = { type: 'post', room, id: newId(), text: 'once' }
    ada.send(post)
    ada.terminate()
    const again = await server.welcomedClient({ session: ada.welcome.session })
    await again.join(room, { after: ada.joined.position })
    again.send({ ...post, since: ada.joined.position })
    let acked
    while (acked === undefined) {
      const message = await again.receiveOneOf('message', 'ack')
      if (message.type === 'ack') acked = message.position
    }
    equal((await bob.receive('message')).position, acked, 'position at the other member')
    again.send({ type: 'post', room, id: newId(), text: 'end' })
    equal((await bob.receive('message')).text, 'end', 'next text at the other member')
  }),

  requirement('7.3', 'a repeat from an unknown position is refused with stale_post', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    const id = newId()
    client.send({ type: 'post', room, id, text: 'repeated', since: 'of-another-epoch-7' })
    equal((await client.receiveError('stale_post')).id, id, 'id of the error')
    await client.receiveNothing()
  }),

  requirement('7.1', 'a different post with a used id is refused with reused_id', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    const post = { type: 'post', room, id: newId(), text: 'one' }
    client.send(post)
    await client.receive('message')
    await client.receive('ack')
    for (const other of [{ text: 'two' }, { data: {} }, { data: null }]) {
      client.send({ ...post, ...other })
      equal((await client.receiveError('reused_id')).id, post.id, 'id of the error')
    }
    await client.receiveNothing()
  }),

  requirement('7.3', 'a repeat can be serialised differently', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    const id = newId()
    client.send({ type: 'post', room, id, text: 'x', data: { a: [1, null] } })
    const { position } = await client.receive('message')
    await client.receive('ack')
    client.channel.socket.send(`{"id":"${id}","text":"\\u0078", "data": {"a":[1.0,null]},"room":"${room}","type":"post"}`)
    equal((await client.receive('ack')).position, position, 'position in the second ack')
    await client.receiveNothing()
  }),

  requirement('7.3', 'the same id in another room is another post', async (server) => {
    const [one, two] = [server.room(), server.room()]
    const client = await server.joinedClient(one)
    await client.join(two)
    const id = newId()
    for (const room of [one, two]) {
      client.send({ type: 'post', room, id, text: 'x' })
      equal((await client.receive('message')).room, room, 'room of the message')
      await client.receive('ack')
    }
  }),

  requirement('7.1', 'the same id from another member is another post', async (server) => {
    const room = server.room()
    const id = newId()
    const positions = new Set()
    for (const text of ['one', 'two']) {
      const client = await server.joinedClient(room)
      client.send({ type: 'post', room, id, text })
      await client.receive('message')
      positions.add((await client.receive('ack')).position)
    }
    equal(positions.size, 2, 'number of positions')
  })
]
