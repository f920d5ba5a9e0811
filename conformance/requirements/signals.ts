import { equal, ok } from '../assertions.ts'
import type { Member } from '../client.ts'
import { requirement } from '../requirement.ts'

/** Returns a client's member as the sender of a signal. */
function senderOf ({ welcome: { member: { id, name } } }: { readonly welcome: { readonly member: Member } }): Member { return { id, name } }

export const signals = [
  requirement('10.1', 'typing is sent to the other members, with the member that types', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const bob = await server.joinedClient(room)
    bob.send({ type: 'typing', room })
    const { from, room: where } = await ada.receive('typing')
    equal({ from, where }, { from: senderOf(bob), where: room }, 'from and room')
    await bob.receiveNothing()
    ok(ada.channel.socket.readyState === ada.channel.socket.OPEN, 'the connection was closed')
  }),

  requirement('10.1', 'the end of typing is sent to the other members', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const bob = await server.joinedClient(room)
    bob.send({ type: 'typing', room, on: false })
    const { from, room: where, on } = await ada.receive('typing')
    equal({ from, where, on }, { from: senderOf(bob), where: room, on: false }, 'typing')
  }, 'signals'),

  requirement('10.2', 'a signal is sent to the members of its room, the sender too, and not stored', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const bob = await server.joinedClient(room)
    const data = { cursor: [120, 48], text: '\u00e4"' }
    bob.send({ type: 'signal', room, data })
    for (const client of [ada, bob]) {
      const { from, room: where, data: received } = await client.receive('signal')
      equal({ from, where, received }, { from: senderOf(bob), where: room, received: data }, 'signal')
    }
    equal((await server.joinedClient(room)).joined.messages, [], 'messages')
  }, 'signals'),

  requirement('10.2', 'a signal in a room that is not joined is an error with its room', async (server) => {
    const room = server.room()
    const client = await server.welcomedClient()
    client.send({ type: 'signal', room, data: 1 })
    equal((await client.receiveError('not_joined')).room, room, 'room')
  }, 'signals'),

  requirement('10.2', 'a signal without data is invalid', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    client.send({ type: 'signal', room })
    await client.receiveError('invalid')
  }, 'signals')
]
