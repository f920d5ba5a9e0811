import { randomBytes } from 'node:crypto'
import { equal, ok } from '../assertions.ts'
import type { Channel } from '../channel.ts'
import { validNames } from '../member-names.ts'
import { requirement } from '../requirement.ts'

/** Resolves with all frames up to a text, including a greeting and history. */
async function receiveUntil (channel: Channel, last: string): Promise<Array<string | Buffer>> {
  const frames = []
  for (;;) {
    const frame = await channel.next(`the text '${last}'`)
    frames.push(frame)
    if (frame === last) return frames
  }
}

export const plain = [
  requirement('3', "all members of a room receive a text with the sender's name", async (server) => {
    const room = server.room()
    const ada = await server.connect([], { room, name: 'ada' })
    const bob = await server.connect([], { room })
    ada.socket.send('ready?')
    await receiveUntil(ada, 'ada: ready?')
    bob.socket.send('ready')
    await receiveUntil(bob, 'ready')
    ada.socket.send('hello')
    equal((await receiveUntil(bob, 'ada: hello')).length, 1, 'number of frames')
  }),

  requirement('3', 'a text sent before the first frame arrives is not lost', async (server) => {
    const room = server.room()
    const channel = await server.connect([], { room, self: '1' })
    channel.socket.send('early')
    await receiveUntil(channel, 'early')
  }),

  requirement('3', 'a binary message is delivered as the same bytes', async (server) => {
    const room = server.room()
    const channel = await server.connect([], { room, name: 'ada', self: '1' })
    const bytes = Buffer.from([0, 1, 254, 255])
    channel.socket.send(bytes)
    channel.socket.send('end')
    const frames = await receiveUntil(channel, 'ada: end')
    equal(frames.at(-2), bytes, 'the frame before the end')
  }),

  requirement('3', 'at most the requested history is sent first, in order', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    for (const text of ['one', 'two', 'three']) await ada.post(room, text)
    const plain = await server.connect([], { room, history: '2', self: '1' })
    plain.socket.send('live')
    const frames = await receiveUntil(plain, 'live')
    equal(frames.slice(-3), ['two', 'three', 'live'], 'the last frames')
    ok(!frames.includes('one'), 'more messages arrived than requested')
  }),

  requirement('3', 'a client with self=0 does not receive its own messages', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const plain = await server.connect([], { room, self: '0' })
    plain.socket.send('mine')
    await ada.receive('message')
    await ada.post(room, 'theirs')
    ok(!(await receiveUntil(plain, 'theirs')).includes('mine'), 'the client received its own message')
  }),

  requirement('3', 'plain and v1 members share rooms', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room, { name: 'ada' })
    const plain = await server.connect([], { room, name: 'bob', self: '1' })
    plain.socket.send('from plain')
    const { text, from } = await ada.receive('message')
    equal({ text, name: from?.name }, { text: 'from plain', name: 'bob' }, 'message at the v1 member')
    await ada.post(room, 'from v1', { data: { not: 'shown' } })
    await receiveUntil(plain, `${ada.welcome.member.name === '' ? '' : `${ada.welcome.member.name}: `}from v1`)
  }),

  requirement('16', 'the name of a plain member is normalised', async (server) => {
    const room = server.room()
    for (const [, name, normalised = name] of validNames) {
      const plain = await server.connect([], { room, name, self: '1' })
      plain.socket.send('text')
      await receiveUntil(plain, normalised === '' ? 'text' : `${normalised}: text`)
      plain.socket.close(1000)
      await plain.closed()
    }
  }),

  requirement('8.1', 'a v1 member receives a binary message as bytes', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const plain = await server.connect([], { room })
    const bytes = randomBytes(5)
    plain.socket.send(bytes)
    const message = await ada.receive('message')
    equal(message.bytes, bytes.toString('base64'), 'bytes')
  })
]
