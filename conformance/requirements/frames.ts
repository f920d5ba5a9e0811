import { equal } from '../assertions.ts'
import { newId } from '../client.ts'
import { requirement } from '../requirement.ts'

/** Excess of invalid frames over valid ones at which the server closes the connection. */
const MAX_INVALID = 10

/** Invalid frames of a client that has joined a room. */
const invalid: ReadonlyArray<[what: string, frame: string | ((room: string) => object)]> = [
  ['invalid JSON', '{"type":'],
  ['an array', '[]'],
  ['null', 'null'],
  ['a number', '7'],
  ['a message without a type', () => ({ room: 'lobby' })],
  ['an unknown type', () => ({ type: 'shout' })],
  ['a type from the prototype', () => ({ type: 'constructor' })],
  ['join without a room', () => ({ type: 'join' })],
  ['join with an invalid room', () => ({ type: 'join', room: 'no spaces' })],
  ['join with a negative history', (room) => ({ type: 'join', room, history: -1 })],
  ['post without an id', (room) => ({ type: 'post', room, text: 'hi' })],
  ['post with an empty id', (room) => ({ type: 'post', room, id: '', text: 'hi' })],
  ['post with an id that is too long', (room) => ({ type: 'post', room, id: 'x'.repeat(65), text: 'hi' })],
  ['post with a number as text', (room) => ({ type: 'post', room, id: newId(), text: 7 })],
  ['post without a text', (room) => ({ type: 'post', room, id: newId() })],
  ['post with a lone surrogate in its text', (room) => ({ type: 'post', room, id: newId(), text: 'a\ud800b' })],
  ['post with a lone surrogate in its data', (room) => ({ type: 'post', room, id: newId(), text: 'a', data: ['\udc00'] })],
  ['history without a limit', (room) => ({ type: 'history', room, before: 'x' })],
  ['ping without an id', () => ({ type: 'ping' })]
]

export const frames = [
  requirement('4', 'an invalid frame is answered with an error, and the connection stays open', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    for (const [what, frame] of invalid) {
      client.channel.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame(room)))
      equal((await client.receive('error')).code, 'invalid', `code for ${what}`)
      await client.receiveNothing()
      await client.waitForRate(client.welcome, 3)
    }
  }),

  requirement('4', 'a binary frame is invalid', async (server) => {
    const client = await server.welcomedClient()
    client.channel.socket.send(Buffer.from(JSON.stringify({ type: 'ping', id: '1' })))
    await client.receiveError('invalid')
  }),

  requirement('4', 'nine invalid frames are answered with errors; the tenth closes the connection with 4400', async (server) => {
    const client = await server.welcomedClient()
    for (let i = 0; i < MAX_INVALID; i++) client.channel.socket.send('rubbish')
    for (let i = 1; i < MAX_INVALID; i++) await client.receiveError('invalid')
    equal((await client.closed()).code, 4400, 'close code')
  }),

  requirement('4', 'a valid frame offsets an invalid one, even if it is answered with an error', async (server) => {
    const client = await server.welcomedClient()
    for (let i = 0; i < MAX_INVALID * 2; i++) {
      client.channel.socket.send('rubbish')
      client.send({ type: 'leave', room: server.room() })
      await client.receiveError('invalid')
      await client.receiveError('not_joined')
      await client.waitForRate(client.welcome, 2)
    }
    await client.receiveNothing()
  }),

  requirement('4', 'fragments are joined into one message', async (server) => {
    const client = await server.welcomedClient()
    for (const [part, fin] of [['{"type":"pi', false], ['ng","id":', false], ['"1"}', true]] as const) {
      client.channel.socket.send(part, { fin })
    }
    equal((await client.receive('pong')).id, '1', 'id of the pong')
  }),

  requirement('18', 'unknown properties are ignored', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    client.send({ type: 'ping', id: '1', later: { version: 2 } })
    await client.receive('pong')
    await client.post(room, 'hi', { mood: 'good' })
  })
]
