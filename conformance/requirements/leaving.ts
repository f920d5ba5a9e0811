import { newId } from '../client.ts'
import { holds, requirement, same } from '../requirement.ts'

export const leaving = [
  requirement('6.5', 'leave is answered with left, and nothing of the room comes after it', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    const bob = await server.enterRoom(room)
    ada.say({ type: 'leave', room })
    same((await ada.hear('left')).room, room, 'the room')
    await bob.post(room, 'behind her back')
    await ada.hearNothing()
  }),

  requirement('6.4', 'what is not joined can not be left, posted to, typed in or read back', async (server) => {
    const room = server.room()
    const client = await server.enter()
    const requests = [
      { type: 'leave', room },
      { type: 'post', room, id: 'p1', text: 'hi' },
      { type: 'typing', room },
      { type: 'history', room, before: 'x', limit: 1 }
    ]
    for (const request of requests) {
      client.say(request)
      const { room: where, id } = await client.hearError('not_joined')
      same({ room: where, id }, { room, id: request.id }, `what the error for ${request.type} has`)
    }
  }),

  requirement('6.1', 'a room that was left can be joined again', async (server) => {
    const room = server.room()
    const client = await server.enterRoom(room)
    const { position } = await client.post(room, 'one')
    client.say({ type: 'leave', room })
    await client.hear('left')
    const joined = await client.join(room, { after: position })
    same({ messages: joined.messages, complete: joined.complete }, { messages: [], complete: true }, 'joined')
    await client.post(room, 'two')
  }),

  requirement('7.1', 'every post is answered, also when the room is left at once', async (server) => {
    const room = server.room()
    const client = await server.enterRoom(room)
    const id = newId()
    client.say({ type: 'post', room, id, text: 'parting words' })
    client.say({ type: 'leave', room })
    const heard: string[] = []
    while (!heard.includes('ack') || !heard.includes('left')) {
      const said = await client.hearOneOf('message', 'ack', 'left')
      if (said.type === 'ack') same(said.id, id, 'the id of the ack')
      holds(said.type !== 'message' || !heard.includes('left'), 'a message came after left')
      heard.push(said.type)
    }
  })
]
