import t, { type Test } from 'tap'
import { errors } from '../../src/index.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { backendWith } from '../support/backend.ts'
import type { V1Client } from '../support/v1-client.ts'

const authenticate = (_: unknown, { token = 'plain' }: { readonly token?: string | undefined } = {}) => ({ id: token, name: '' })

/** Connects a member that understands changes and joins the room `a`. */
async function named ({ tcp }: ChatApp, token: string, more: object = {}): Promise<V1Client> {
  const client = await tcp()
  await client.hello({ token, changes: true, ...more })
  await client.join('a')
  return client
}

/** Returns one request of each type. */
const requests = (position: string, more: object = {}) => [
  { type: 'edit', room: 'a', position, id: 'e', text: 'edited', ...more },
  { type: 'delete', room: 'a', position, id: 'd', ...more },
  { type: 'react', room: 'a', position, id: 'r', reaction: '👍', on: true, ...more }
]

/** Asserts the number of changes so far. */
function counts (t: Test, { app }: ChatApp, changes: number): void {
  t.equal(app.chat.stats().changes, changes, 'no other change was stored')
}

t.test('welcome announces changes', async (t) => {
  const server = await chat(t)
  for (const hello of [{}, { changes: true }]) t.strictSame((await (await server.tcp()).hello(hello)).features, ['changes', 'signals', 'readPositions', 'history-after'])
})

t.test('a position that is not kept gets not_kept', async (t) => {
  const server = await chat(t, { authenticate, backend: memory({ historyEntries: 2 }) })
  const ada = await named(server, 'ada')
  const [trimmed, , kept] = [await ada.posted('a', '1'), await ada.posted('a', '2'), await ada.posted('a', '3')]
  const positions: Record<string, string> = {
    trimmed,
    "another room's": await server.app.chat.publish('b', { text: '1' }),
    'of the future': kept.replace(/3$/, '4'),
    'a revision': (await ada.join('c')).revision!,
    'that never was': '"},{"'
  }
  for (const [title, position] of Object.entries(positions)) {
    for (const request of requests(position)) {
      t.match(await ada.refused(request), { code: 'not_kept', room: 'a', id: request.id, request: request.type }, `${title}: ${request.type}`)
    }
  }
  counts(t, server, 0)
})

t.test('a deleted message can be deleted again, but not edited, and gets no reactions', async (t) => {
  const server = await chat(t, { authenticate })
  const ada = await named(server, 'ada')
  const position = await ada.posted('a', '1')
  const [edit, remove, react] = requests(position)
  ada.say(remove!)
  const [, ack] = await ada.take(2)
  for (const request of [edit, react]) t.match(await ada.refused(request!), { code: 'deleted', request: request!.type })
  ada.say({ ...remove, id: 'again' })
  t.strictSame(await ada.next(), { ...ack, id: 'again' })
  counts(t, server, 1)
})

t.test("members can't edit and delete messages of others and of the app, but react to them", async (t) => {
  const server = await chat(t, { authenticate })
  const [ada, bob] = [await named(server, 'ada'), await named(server, 'bob')]
  const positions = [await ada.posted('a', '1'), await server.app.chat.publish('a', { text: '2' })]
  await bob.take(2)
  for (const position of positions) {
    const [edit, remove, react] = requests(position)
    for (const request of [edit, remove]) {
      t.match(await bob.refused(request!), { code: 'forbidden', message: "not allowed to change messages of others in room 'a'", request: request!.type, id: request!.id })
    }
    bob.say(react!)
    t.match(await bob.take(2), [{ type: 'changed', position, reactions: [{ reaction: '👍', count: 1, mine: true }] }, { type: 'ack', id: 'r', position }])
  }
  counts(t, server, 2)
})

t.test('a binary message is not edited, but it gets reactions and can be deleted', async (t) => {
  const server = await chat(t, { authenticate, authorize: () => true })
  const client = await named(server, 'ada')
  const sender = await server.plain('?room=a')
  sender.socket.send(Buffer.of(1, 2))
  const message = await client.expect('message')
  const [edit, remove, react] = requests(message.position)
  t.match(await client.refused(edit!), { code: 'invalid', request: 'edit', id: 'e' })
  client.say(react!)
  t.match(await client.take(2), [{ type: 'changed', reactions: [{ count: 1 }] }, { type: 'ack' }])
  client.say(remove!)
  t.match(await client.take(2), [{ type: 'changed', deleted: true }, { type: 'ack' }])
})

t.test('a text above the payload limit closes the connection as that of a post does', async (t) => {
  const server = await chat(t, { authenticate, limits: { chatPayload: 300 } })
  const ada = await named(server, 'ada')
  const position = await ada.posted('a', '1')
  ada.say({ type: 'edit', room: 'a', position, id: 'e', text: 'x'.repeat(300) })
  t.match(await ada.closed, { code: 1009 })
  counts(t, server, 0)
})

t.test('a change without an effect is acknowledged again and delivered to nobody', async (t) => {
  const server = await chat(t, { authenticate })
  const [ada, bob] = [await named(server, 'ada'), await named(server, 'bob')]
  const position = await ada.posted('a', '1', { data: { a: 1 } })
  await bob.next()
  const [, remove, react] = requests(position)
  ada.say({ type: 'edit', room: 'a', position, id: 'e', text: '1', data: { a: 1 } })
  t.match(await ada.next(), { type: 'ack', id: 'e', revision: /-c0$/ })
  for (const request of [react!, remove!]) {
    ada.say(request)
    const [, ack] = await ada.take(2)
    ada.say({ ...request, id: 'again' })
    t.strictSame(await ada.next(), { ...ack, id: 'again' })
  }
  ada.post('a', 'end')
  t.match(await bob.take(3), [{ type: 'changed' }, { type: 'changed', deleted: true }, { text: 'end' }])
  counts(t, server, 2)
})

t.test('more reactions than a message can have get too_many_reactions', async (t) => {
  const server = await chat(t, { authenticate })
  const ada = await named(server, 'ada')
  const position = await ada.posted('a', '1')
  for (let i = 0; i < 20; i++) await server.app.chat.react('a', position, `${i}`, { by: 'bob' })
  while ((await ada.expect('changed')).reactions!.every(({ reaction }) => reaction !== '19'));
  t.match(await ada.refused({ type: 'react', room: 'a', position, id: 'r', reaction: '21', on: true }), { code: 'too_many_reactions', id: 'r', request: 'react' })
  ada.say({ type: 'react', room: 'a', position, id: 'r', reaction: '19', on: true })
  t.match(await ada.take(2), [{ type: 'changed', reactions: [{ reaction: '19', count: 2, mine: true }] }, { type: 'ack', id: 'r' }])
})

t.test('a muted member changes nothing, and a member that left must join first', async (t) => {
  const server = await chat(t, { authenticate })
  const ada = await named(server, 'ada')
  const position = await ada.posted('a', '1')
  await server.app.chat.mute('ada', { duration: 60_000, reason: 'enough' })
  for (const request of requests(position)) t.match(await ada.refused(request), { code: 'muted', message: 'muted: enough', id: request.id, request: request.type })
  await server.app.chat.unmute('ada')
  await ada.leave('a')
  for (const request of requests(position)) t.match(await ada.refused(request), { code: 'not_joined', room: 'a', id: request.id, request: request.type })
  counts(t, server, 0)
})

t.test('a change whose outcome is unknown gets unknown, and an edit can be repeated under its id', async (t) => {
  let isLost = false
  const backend = backendWith((works) => ({
    async amend (...args) {
      const amended = await works.amend(...args)
      if (isLost) throw new errors.StoreUnknown()
      return amended
    }
  }))
  const server = await chat(t, { authenticate, backend })
  const ada = await named(server, 'ada')
  const position = await ada.posted('a', '1')
  const { head: { change } } = await server.app.chat.history('a')
  isLost = true
  const [, remove, react] = requests(position)
  for (const request of [react!, remove!]) {
    ada.say(request)
    const received = await ada.take(2)
    t.match(received.map(({ type }) => type).sort(), ['changed', 'error'])
    t.match(received.find(({ type }) => type === 'error'), { code: 'unknown', id: request.id, request: request.type })
  }
  const next = await ada.posted('a', '2')
  const edit = { type: 'edit', room: 'a', position: next, id: 'lost', text: 'once' }
  ada.say(edit)
  t.match((await ada.take(2)).map(({ type }) => type).sort(), ['changed', 'error'])
  isLost = false
  await server.app.chat.edit('a', next, { text: 'by the app' })
  t.match(await ada.next(), { type: 'changed', text: 'by the app' })
  ada.say({ ...edit, since: change.revision })
  t.match(await ada.next(), { type: 'ack', id: 'lost', position: next, revision: /-c3$/ }, 'it was applied once')
  t.match((await server.app.chat.history('a')).entries[1], { text: 'by the app' })
  t.match(await ada.refused({ ...edit, text: 'something else', since: change.revision }), { code: 'reused_id', id: 'lost' })
  t.match(await ada.refused({ ...edit, position, since: change.revision }), { code: 'reused_id', id: 'lost' }, 'for another message')
  t.match(await ada.refused({ ...edit, id: 'other', since: 'unknown' }), { code: 'stale_post', id: 'other' })
})

t.test('an id names a post or an edit, and two members can use the same one', async (t) => {
  const server = await chat(t, { authenticate, authorize: () => true })
  const [ada, bob] = [await named(server, 'ada'), await named(server, 'bob')]
  const position = await ada.posted('a', '1')
  await bob.next()
  ada.say({ type: 'post', room: 'a', id: 'x', text: '2' })
  await ada.take(2)
  await bob.next()
  for (const [client, text] of [[ada, 'a'], [bob, 'b']] as const) {
    client.say({ type: 'edit', room: 'a', position, id: 'x', text })
    t.match(await client.expect('changed'), { text })
    t.match(await client.expect('ack'), { id: 'x' })
    await (client === ada ? bob : ada).expect('changed')
  }
})

t.test('an invalid change gets invalid and the path of the problem', async (t) => {
  const server = await chat(t, { authenticate, dataSchema: { type: 'object' } })
  const ada = await named(server, 'ada')
  const position = await ada.posted('a', '1')
  const [edit, remove, react] = requests(position)
  const wrong: Array<[request: object, message: RegExp]> = [
    [{ ...edit, text: 7 }, /\/text must be string/],
    [{ ...edit, data: 7 }, /^\/data/],
    [{ ...edit, position: '' }, /\/position must not have fewer than 1/],
    [{ ...edit, since: 'x'.repeat(129) }, /\/since must not have more than 128/],
    [{ ...edit, id: undefined }, /must have required properties id/],
    [{ ...edit, text: '\ud83d' }, /lone surrogate/],
    [{ ...remove, position: undefined }, /must have required properties position/],
    [{ ...react, on: 1 }, /\/on must be boolean/],
    [{ ...react, reaction: '' }, /\/reaction must match pattern/],
    [{ ...react, reaction: 'a\nb' }, /\/reaction must match pattern/],
    [{ ...react, reaction: '👍'.repeat(65) }, /\/reaction must match pattern/]
  ]
  for (const [request, message] of wrong) {
    t.match(await ada.refused(request), { code: 'invalid', message })
    // A valid request takes back the count of an invalid frame.
    ada.say({ type: 'ping', id: 'p' })
    await ada.expect('pong')
  }
  ada.say({ ...react, reaction: '👩‍👩‍👧‍👦'.repeat(9) })
  t.match(await ada.take(2), [{ type: 'changed' }, { type: 'ack' }])
  t.match(await (await server.tcp()).refused({ type: 'hello', changes: false }), { code: 'invalid', message: '/changes must be equal to constant' })
})

t.test('a client that did not announce changes can make them, and receives only the ack', async (t) => {
  const server = await chat(t, { authenticate })
  const old = await server.member({ token: 'ada' }, 'a')
  const position = await old.posted('a', '1')
  const [edit] = requests(position)
  old.say(edit!)
  t.match(await old.next(), { type: 'ack', id: 'e', position, revision: /-c1$/ })
  await old.posted('a', 'and no changed')
})

t.test('a deletion is charged as a page of history, an edit and a reaction as one request', async (t) => {
  const server = await chat(t, { authenticate, limits: { messageRate: 1, messageBurst: 8 } })
  const ada = await named(server, 'ada')
  const refused: string[] = []
  const say = async (request: object) => {
    ada.say({ room: 'a', position: 'x', ...request })
    const { code } = await ada.expect('error')
    refused.push(code)
  }
  for (const id of ['1', '2', '3']) await say({ type: 'react', id, reaction: '👍', on: true })
  await say({ type: 'delete', id: '4' })
  await say({ type: 'delete', id: '5' })
  t.strictSame(refused, ['not_kept', 'not_kept', 'not_kept', 'not_kept', 'rate_limited'])
})
