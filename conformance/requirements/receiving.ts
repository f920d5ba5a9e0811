import { newId } from '../client.ts'
import { holds, requirement, same } from '../requirement.ts'

export const receiving = [
  requirement('15', 'all members hear one order, and a member its own posts in theirs', async (server) => {
    const room = server.room()
    const clients = [await server.enterRoom(room), await server.enterRoom(room), await server.enterRoom(room)]
    const many = 6
    for (let i = 0; i < many; i++) {
      for (const [who, client] of clients.entries()) client.say({ type: 'post', room, id: newId(), text: `${who} ${i}` })
    }
    const heard = await Promise.all(clients.map(async (client) => {
      const messages = []
      while (messages.length < many * clients.length) {
        const said = await client.hearOneOf('message', 'ack')
        if (said.type === 'message') messages.push(said)
      }
      return messages
    }))
    const [first = []] = heard
    for (const messages of heard) {
      same(messages.map(({ position }) => position), first.map(({ position }) => position), 'positions')
    }
    for (const who of clients.keys()) {
      const own = first.map(({ text = '' }) => text).filter((text) => text.startsWith(`${who} `))
      same(own, Array.from({ length: many }, (_, i) => `${who} ${i}`), 'the posts of one')
    }
  }),

  requirement('8.1', 'time never falls', async (server) => {
    const room = server.room()
    const client = await server.enterRoom(room)
    let last = ''
    for (let i = 0; i < 5; i++) {
      const { at } = await client.post(room, String(i))
      holds(at >= last, `${at} came after ${last}`)
      last = at
    }
  }),

  requirement('8.2', 'a message is the same, live, in joined and in history', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    const { type, ...live } = await ada.post(room, 'the same', { data: [1] }) as object as Record<string, unknown>
    const last = await ada.post(room, 'last')
    const bob = await server.enterRoom(room)
    same(bob.joined.messages[0], live, 'in joined')
    bob.say({ type: 'history', room, before: last.position, limit: 10 })
    same((await bob.hear('history')).messages, [live], 'in history')
    same(type, 'message', 'type')
  })
]
