import t, { type Test } from 'tap'
import type { ChatClient } from '../../src/client/node.ts'
import type { FastifyChatOptions } from '../../src/index.ts'
import { build, listen } from '../support/app.ts'
import { chatClient, nextEvent, state } from '../support/chat-client.ts'
import { proxy } from '../support/proxy.ts'

/** The token of a client is the id of its member. */
const authenticate: FastifyChatOptions['authenticate'] = (_, { token }) => ({ id: token! })

/** Resolves with the rooms in which the member of a client has a read position. */
async function roomsOf (client: ChatClient): Promise<string[]> {
  const names: string[] = []
  for await (const { room } of client.rooms()) names.push(room)
  return names
}

/** Resolves with two devices of a member. The second one joins again only when it is told to. */
async function devices (t: Test) {
  const app = await build(t, { authenticate })
  const port = await listen(app)
  const network = await proxy(t, port)
  const [near, far] = [chatClient(t, port, { token: 'ada' }), chatClient(t, network.port, { token: 'ada', minDelay: 60_000, maxDelay: 60_000 })]
  return {
    app,
    near,
    far,
    /** Removes the read position in a room on the first device while the second one is offline. */
    forgetWhileOffline: async (room: string) => {
      const waiting = state(far, 'waiting')
      network.cut()
      await waiting
      t.equal(near.forget(room), true)
      t.strictSame(await roomsOf(near), [])
    }
  }
}

t.test('a device that was offline during a removal does not bring the read position back', async (t) => {
  const { app, near, far, forgetWhileOffline } = await devices(t)
  const [, there] = [await near.join('a'), await far.join('a')]
  const arrived = nextEvent(there, 'message')
  await app.chat.publish('a', { text: '1' })
  await arrived
  there.markRead()
  t.strictSame(await roomsOf(far), ['a'])
  t.equal(there.unread, 0)
  await forgetWhileOffline('a')
  const again = nextEvent(there, 'joined', ({ again }) => again)
  const forgotten = nextEvent(there, 'readPosition', ({ position }) => position === undefined)
  far.reconnect()
  await again
  await forgotten
  t.strictSame([there.readPosition, there.unread], [undefined, undefined])
  t.strictSame([await roomsOf(far), await roomsOf(near)], [[], []])
  there.markRead()
  t.strictSame(await roomsOf(far), ['a'], 'a later mark')
})

t.test('a device that was offline during a removal drops the position of its own post', async (t) => {
  const { near, far, forgetWhileOffline } = await devices(t)
  const there = await far.join('a')
  const arrived = nextEvent(there, 'message')
  await there.post('1')
  await arrived
  t.equal(there.unread, 0)
  await near.join('b')
  await forgetWhileOffline('a')
  const again = nextEvent(there, 'joined', ({ again }) => again)
  far.reconnect()
  await again
  t.strictSame(await roomsOf(far), [])
  t.strictSame([there.readPosition, there.unread], [undefined, undefined])
})

t.test('after forgotten, a device counts unread messages again from its next mark', async (t) => {
  const app = await build(t, { authenticate })
  const port = await listen(app)
  const [near, far] = [chatClient(t, port, { token: 'ada' }), chatClient(t, port, { token: 'ada' })]
  const [here, there] = [await near.join('a'), await far.join('a')]
  const arrived = nextEvent(there, 'message')
  await here.post('1')
  await arrived
  t.equal(there.unread, 0)
  const forgotten = nextEvent(there, 'readPosition')
  near.forget('a')
  t.strictSame(await forgotten, { type: 'readPosition', position: undefined, unread: undefined })
  const moved = nextEvent(here, 'readPosition', ({ position }) => position !== undefined)
  there.markRead()
  t.match(await moved, { position: there.position, unread: 0 })
  t.match(there, { readPosition: there.position, unread: 0 })
})

t.test('a member that authenticate does not name keeps its read position over a reconnect', async (t) => {
  const app = await build(t, {})
  const port = await listen(app)
  const network = await proxy(t, port)
  const client = chatClient(t, network.port)
  const room = await client.join('a')
  const arrived = nextEvent(room, 'message')
  const position = await app.chat.publish('a', { text: '1' })
  await arrived
  room.markRead()
  t.strictSame(await roomsOf(client), ['a'])
  const again = nextEvent(room, 'joined', ({ again }) => again)
  network.cut()
  await again
  t.strictSame(await roomsOf(client), ['a'])
  t.match(room, { readPosition: position, unread: 0 })
})
