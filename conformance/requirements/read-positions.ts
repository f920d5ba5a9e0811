import { equal, ok } from '../assertions.ts'
import { requirement } from '../requirement.ts'

const feature = 'readPositions'

export const readPositions = [
  requirement('21.1', 'markRead moves the read position, which the next joined has', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const bob = await server.joinedClient(room)
    const { position } = await bob.post(room, 'one')
    await bob.post(room, 'two')
    for (let i = 0; i < 2; i++) await ada.receive('message')
    ada.send({ type: 'markRead', room, position })
    ada.send({ type: 'leave', room })
    await ada.receive('left')
    ada.send({ type: 'join', room })
    const { readPosition, unread } = await ada.receive('joined')
    equal({ readPosition, unread }, { readPosition: position, unread: 1 }, 'joined')
  }, feature),

  requirement('21.1', 'markRead of an unknown message is an error with its room', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    client.send({ type: 'markRead', room, position: 'unknown' })
    equal((await client.receiveError('not_kept')).room, room, 'room')
  }, feature),

  requirement('21.1', 'markRead in a room that is not joined is an error with its room', async (server) => {
    const room = server.room()
    const client = await server.welcomedClient()
    client.send({ type: 'markRead', room, position: 'unknown' })
    equal((await client.receiveError('not_joined')).room, room, 'room')
  }, feature),

  requirement('21.5', 'rooms answers with the rooms in which the member has a read position', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const { position } = await ada.post(room, 'one')
    ada.send({ type: 'rooms', id: 'r1' })
    const { id, rooms } = await ada.receive('rooms')
    equal(id, 'r1', 'id')
    const listed = rooms.find((each) => each.room === room)
    ok(listed !== undefined, 'the room is missing')
    equal({ unread: listed?.unread, position: listed?.position, text: listed?.last?.text }, { unread: 0, position, text: 'one' }, 'room')
  }, feature),

  requirement('21.6', 'forget removes the read position', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    await ada.post(room, 'one')
    ada.send({ type: 'forget', room })
    ada.send({ type: 'rooms', id: 'r1' })
    const { rooms } = await ada.receive('rooms')
    ok(rooms.every((each) => each.room !== room), 'the room is still listed')
  }, feature),

  requirement('21.1', 'markRead with again moves the read position, or is answered with forgotten', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const { position } = await ada.post(room, 'one')
    ada.send({ type: 'forget', room })
    ada.send({ type: 'markRead', room, position, again: true })
    ada.send({ type: 'rooms', id: 'r1' })
    // Whether the app authenticates the member can't be seen from outside.
    const first = await ada.receiveOneOf('forgotten', 'rooms')
    const { rooms } = first.type === 'rooms' ? first : await ada.receive('rooms')
    equal(rooms.some((each) => each.room === room), first.type === 'rooms', 'whether the room is listed')
  }, feature)
]
