import { randomBytes } from 'node:crypto'
import type { Channel } from '../channel.ts'
import { holds, requirement, same } from '../requirement.ts'

/** The frames up to this one. What came with the upgrade, a greeting or history, is among them. */
async function heardUpTo (channel: Channel, last: string): Promise<Array<string | Buffer>> {
  const frames = []
  for (;;) {
    const frame = await channel.next(`the text '${last}'`)
    frames.push(frame)
    if (frame === last) return frames
  }
}

export const plain = [
  requirement('3', 'a text is heard by everyone in the room, with the name of its sender', async (server) => {
    const room = server.room()
    const ada = await server.connect([], { room, name: 'ada' })
    const bob = await server.connect([], { room })
    ada.socket.send('ready?')
    await heardUpTo(ada, 'ada: ready?')
    bob.socket.send('ready')
    await heardUpTo(bob, 'ready')
    ada.socket.send('hello')
    same((await heardUpTo(bob, 'ada: hello')).length, 1, 'frames after the last')
  }),

  requirement('3', 'what is sent before anything was heard is not lost', async (server) => {
    const room = server.room()
    const channel = await server.connect([], { room, self: '1' })
    channel.socket.send('early')
    await heardUpTo(channel, 'early')
  }),

  requirement('3', 'a binary message arrives as binary, unchanged', async (server) => {
    const room = server.room()
    const channel = await server.connect([], { room, name: 'ada', self: '1' })
    const bytes = Buffer.from([0, 1, 254, 255])
    channel.socket.send(bytes)
    channel.socket.send('end')
    const frames = await heardUpTo(channel, 'ada: end')
    same(frames.at(-2), bytes, 'the frame before the end')
  }),

  requirement('3', 'history is given first, oldest first, and no more than was asked for', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    for (const text of ['one', 'two', 'three']) await ada.post(room, text)
    const plain = await server.connect([], { room, history: '2', self: '1' })
    plain.socket.send('live')
    const frames = await heardUpTo(plain, 'live')
    same(frames.slice(-3), ['two', 'three', 'live'], 'the last frames')
    holds(!frames.includes('one'), 'a message came that was not asked for')
  }),

  requirement('3', 'self=0 spares a client its own messages', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    const plain = await server.connect([], { room, self: '0' })
    plain.socket.send('mine')
    await ada.hear('message')
    await ada.post(room, 'theirs')
    holds(!(await heardUpTo(plain, 'theirs')).includes('mine'), 'its own message came back')
  }),

  requirement('3', 'plain and v1 members share rooms', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room, { name: 'ada' })
    const plain = await server.connect([], { room, name: 'bob', self: '1' })
    plain.socket.send('from plain')
    const { text, from } = await ada.hear('message')
    same({ text, name: from?.name }, { text: 'from plain', name: 'bob' }, 'what the v1 member hears')
    await ada.post(room, 'from v1', { data: { not: 'shown' } })
    await heardUpTo(plain, `${ada.welcome.member.name === '' ? '' : `${ada.welcome.member.name}: `}from v1`)
  }),

  requirement('8.1', 'a binary message of a plain member comes as bytes', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    const plain = await server.connect([], { room })
    const bytes = randomBytes(5)
    plain.socket.send(bytes)
    const message = await ada.hear('message')
    same(message.bytes, bytes.toString('base64'), 'bytes')
  })
]
