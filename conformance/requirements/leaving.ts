import { equal, ok } from '../assertions.ts'
import { newId } from '../client.ts'
import { requirement } from '../requirement.ts'

export const leaving = [
  requirement('6.5', 'leave is answered with left, and no message of the room follows', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const bob = await server.joinedClient(room)
    ada.send({ type: 'leave', room })
    equal((await ada.receive('left')).room, room, 'room')
    await bob.post(room, 'after leave')
    await ada.receiveNothing()
  }),

  requirement('6.4', 'leave, post, typing and history in a room that is not joined are errors', async (server) => {
    const room = server.room()
    const client = await server.welcomedClient()
    const requests = [
      { type: 'leave', room },
      { type: 'post', room, id: 'p1', text: 'hi' },
      { type: 'typing', room },
      { type: 'history', room, before: 'x', limit: 1 }
    ]
    for (const request of requests) {
      client.send(request)
      const { room: where, id } = await client.receiveError('not_joined')
      equal({ room: where, id }, { room, id: request.id }, `error for ${request.type}`)
    }
  }),

  requirement('6.1', 'a room that was left can be joined again', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    const { position } = await client.post(room, 'one')
    client.send({ type: 'leave', room })
    await client.receive('left')
    const joined = await client.join(room, { after: position })
    equal({ messages: joined.messages, complete: joined.complete }, { messages: [], complete: true }, 'joined')
    await client.post(room, 'two')
  }),

  requirement('7.1', 'a post is acknowledged even if the client leaves the room immediately', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    const id = newId()
    client.send({ type: 'post', room, id, text: 'last post' })
    client.send({ type: 'leave', room })
    const received: string[] = []
    while (!received.includes('ack') || !received.includes('left')) {
      const message = await client.receiveOneOf('message', 'ack', 'left')
      if (message.type === 'ack') equal(message.id, id, 'id of the ack')
      ok(message.type !== 'message' || !received.includes('left'), 'a message arrived after left')
      received.push(message.type)
    }
  })
]
