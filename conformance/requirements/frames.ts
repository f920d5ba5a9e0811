import { newId } from '../client.ts'
import { requirement, same } from '../requirement.ts'

/** Frames that are not valid, beyond those that are, for which a connection is closed. */
const STRIKES = 10

/** Frames that are not valid, for a client that is in a room. */
const invalid: ReadonlyArray<[what: string, frame: string | ((room: string) => object)]> = [
  ['no JSON', '{"type":'],
  ['a list', '[]'],
  ['null', 'null'],
  ['a number', '7'],
  ['no type', () => ({ room: 'lobby' })],
  ['an unknown type', () => ({ type: 'shout' })],
  ['a type from the prototype', () => ({ type: 'constructor' })],
  ['join without a room', () => ({ type: 'join' })],
  ['join of what is no room', () => ({ type: 'join', room: 'no spaces' })],
  ['join with a history that is negative', (room) => ({ type: 'join', room, history: -1 })],
  ['post without an id', (room) => ({ type: 'post', room, text: 'hi' })],
  ['post with an empty id', (room) => ({ type: 'post', room, id: '', text: 'hi' })],
  ['post with an id too long', (room) => ({ type: 'post', room, id: 'x'.repeat(65), text: 'hi' })],
  ['post of a number', (room) => ({ type: 'post', room, id: newId(), text: 7 })],
  ['post without a text', (room) => ({ type: 'post', room, id: newId() })],
  ['post of half a surrogate pair', (room) => ({ type: 'post', room, id: newId(), text: 'a\ud800b' })],
  ['post with half a surrogate pair in its data', (room) => ({ type: 'post', room, id: newId(), text: 'a', data: ['\udc00'] })],
  ['history without a limit', (room) => ({ type: 'history', room, before: 'x' })],
  ['ping without an id', () => ({ type: 'ping' })]
]

export const frames = [
  requirement('4', 'a frame that is not valid is answered with an error, and the connection goes on', async (server) => {
    const room = server.room()
    const client = await server.enterRoom(room)
    for (const [what, frame] of invalid) {
      client.channel.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame(room)))
      same((await client.hear('error')).code, 'invalid', `the code for ${what}`)
      await client.hearNothing()
      await client.pace(client.welcome, 3)
    }
  }),

  requirement('4', 'a binary frame is not valid', async (server) => {
    const client = await server.enter()
    client.channel.socket.send(Buffer.from(JSON.stringify({ type: 'ping', id: '1' })))
    await client.hearError('invalid')
  }),

  requirement('4', 'frame after frame that is not valid is answered, but for the tenth, which closes with 4400', async (server) => {
    const client = await server.enter()
    for (let i = 0; i < STRIKES; i++) client.channel.socket.send('rubbish')
    for (let i = 1; i < STRIKES; i++) await client.hearError('invalid')
    same((await client.ended()).code, 4400, 'the close code')
  }),

  requirement('4', 'a valid frame makes up for one that is not, whatever its answer', async (server) => {
    const client = await server.enter()
    for (let i = 0; i < STRIKES * 2; i++) {
      client.channel.socket.send('rubbish')
      client.say({ type: 'leave', room: server.room() })
      await client.hearError('invalid')
      await client.hearError('not_joined')
      await client.pace(client.welcome, 2)
    }
    await client.hearNothing()
  }),

  requirement('4', 'fragmented frames are one message', async (server) => {
    const client = await server.enter()
    for (const [part, fin] of [['{"type":"pi', false], ['ng","id":', false], ['"1"}', true]] as const) {
      client.channel.socket.send(part, { fin })
    }
    same((await client.hear('pong')).id, '1', 'the id')
  }),

  requirement('18', 'unknown properties are ignored', async (server) => {
    const room = server.room()
    const client = await server.enterRoom(room)
    client.say({ type: 'ping', id: '1', later: { version: 2 } })
    await client.hear('pong')
    await client.post(room, 'hi', { mood: 'good' })
  })
]
