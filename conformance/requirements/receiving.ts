import { equal, ok } from '../assertions.ts'
import { newId } from '../client.ts'
import { requirement } from '../requirement.ts'

export const receiving = [
  requirement('15', "all members receive the same order, which keeps the order of each member's posts", async (server) => {
    const room = server.room()
    const clients = [await server.joinedClient(room), await server.joinedClient(room), await server.joinedClient(room)]
    const posts = 6
    for (let i = 0; i < posts; i++) {
      for (const [who, client] of clients.entries()) client.send({ type: 'post', room, id: newId(), text: `${who} ${i}` })
    }
    const received = await Promise.all(clients.map(async (client) => {
      const messages = []
      while (messages.length < posts * clients.length) {
        const message = await client.receiveOneOf('message', 'ack')
        if (message.type === 'message') messages.push(message)
      }
      return messages
    }))
    const [first = []] = received
    for (const messages of received) {
      equal(messages.map(({ position }) => position), first.map(({ position }) => position), 'positions')
    }
    for (const who of clients.keys()) {
      const own = first.map(({ text = '' }) => text).filter((text) => text.startsWith(`${who} `))
      equal(own, Array.from({ length: posts }, (_, i) => `${who} ${i}`), 'posts of one member')
    }
  }),

  requirement('8.1', 'at never decreases', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    let last = ''
    for (let i = 0; i < 5; i++) {
      const { at } = await client.post(room, String(i))
      ok(at >= last, `${at} follows ${last}`)
      last = at
    }
  }),

  requirement('8.2', 'a message is the same when live, in joined and in history', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const { type, ...live } = await ada.post(room, 'the same', { data: [1] }) as object as Record<string, unknown>
    const last = await ada.post(room, 'last')
    const bob = await server.joinedClient(room)
    equal(bob.joined.messages[0], live, 'in joined')
    bob.send({ type: 'history', room, before: last.position, limit: 10 })
    equal((await bob.receive('history')).messages, [live], 'in history')
    equal(type, 'message', 'type')
  })
]
