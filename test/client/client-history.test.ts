import t, { type Test } from 'tap'
import { backoff } from '../../src/client/backoff.ts'
import { pageRequests, type Direction } from '../../src/client/requests/page-requests.ts'
import { remoteServer } from '../../src/client/requests/remote-server.ts'
import type { Of } from '../../src/client/room-events.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import type { Change } from '../../src/messages.ts'
import { chat } from '../support/chat-app.ts'
import { chatClient, nextEvent } from '../support/chat-client.ts'
import { changed, fakeServer, joined, message } from '../support/fake-server.ts'

const editedAt = '2026-01-01T00:00:01.000Z'

t.test('a post has the id of its request at once, and its repeats have it too', async (t) => {
  let refusals = 1
  const { port, requests } = await fakeServer(t, ({ type, id, room }) => type === 'post' && refusals-- > 0
    ? [{ type: 'error', code: 'unavailable', message: 'not yet', retryAfter: 1, request: type, id, room }]
    : undefined)
  const room = await chatClient(t, port).join('lobby')
  const posts = [room.post('one'), room.post('two')]
  t.match(posts[0]!.id, /^[0-9a-z-]{20,64}$/)
  t.strictSame(await Promise.all(posts), posts.map(({ id }) => `p-${id}`))
  const sent = requests.filter(({ type, text }) => type === 'post' && text === 'one').map(({ id }) => id)
  t.strictSame(sent, [posts[0]!.id, posts[0]!.id])
  const refused = room.post(1 as unknown as string)
  t.match(refused.id, /^[0-9a-z-]{20,64}$/)
  await t.rejects(refused, { code: 'invalid' })
  room.leave()
  const late = room.post('late')
  t.match(late.id, /^[0-9a-z-]{20,64}$/)
  t.not(late.id, refused.id)
  await t.rejects(late, { code: 'left' })
})

t.test('hasOlder is known after the first page, and unknown again in a new view', async (t) => {
  const { app, port } = await chat(t)
  const [, first, second] = [await app.chat.publish('a', { text: '1' }), await app.chat.publish('a', { text: '2' }), await app.chat.publish('a', { text: '3' })]
  const room = await chatClient(t, port).join('a', { history: 1 })
  t.equal(room.hasOlder, undefined)
  const page = room.history(second, 1)
  page.then(() => t.equal(room.hasOlder, true, 'when the page resolves'), t.fail)
  await page
  await room.history(second, 1)
  await room.history('unknown')
  t.equal(room.hasOlder, true, 'other pages do not change it')
  await room.history(first, 1)
  t.equal(room.hasOlder, false)
  await app.chat.publish('a', { text: '4' })
  t.equal(room.hasOlder, false)
  const again = nextEvent(room, 'joined', ({ again }) => again)
  await app.chat.clear('a')
  await again
  t.equal(room.hasOlder, undefined)
  await room.history(room.position!)
  t.equal(room.hasOlder, false, 'the room is empty')
})

t.test('hasOlder is false when the first message of the view is no longer kept', async (t) => {
  const { app, port } = await chat(t, { backend: memory({ historyEntries: 2 }) })
  const first = await app.chat.publish('a', { text: '1' })
  const room = await chatClient(t, port).join('a')
  for (const text of ['2', '3', '4']) await app.chat.publish('a', { text })
  t.match(await room.history(first), { complete: false })
  t.equal(room.hasOlder, false)
})

t.test('a page that was requested before a new view began does not set hasOlder', async (t) => {
  const { port } = await fakeServer(t, ({ type, room, before }) => {
    if (type === 'join') return [joined(room, { messages: [{ ...message(room, 'p1', 'one'), type: undefined }], position: 'p1' })]
    if (type !== 'history') return undefined
    return [
      joined(room, { messages: [{ ...message(room, 'q9', 'nine'), type: undefined }], position: 'q9', complete: false }),
      { type: 'history', room, before, messages: [], more: false, complete: false }
    ]
  })
  const room = await chatClient(t, port).join('lobby')
  await room.history('p1')
  t.equal(room.hasOlder, undefined)
})

t.test('hasOlder of a room that continues an earlier client is that of the first page', async (t) => {
  const { app, port } = await chat(t)
  const [, first, after] = [await app.chat.publish('a', { text: '1' }), await app.chat.publish('a', { text: '2' }), await app.chat.publish('a', { text: '3' })]
  const room = await chatClient(t, port).join('a', { after })
  await room.history(after, 1)
  t.equal(room.hasOlder, true)
  await room.history(first, 1)
  t.equal(room.hasOlder, false)
})

t.test('a refused page, requested again, does not undo a change that arrived meanwhile', async (t) => {
  let asked = 0
  const { port } = await fakeServer(t, ({ type, room, before }) => {
    if (type !== 'history') return undefined
    const edited = (text: string) => changed(room, 'p1', text, { text, editedAt })
    const { type: _type, ...one } = message(room, 'p1', 'new')
    return asked++ === 0
      ? [edited('old'), { type: 'error', code: 'rate_limited', message: 'not yet', retryAfter: 1, request: type, room }, edited('new')]
      : [{ type: 'history', room, before, messages: [one], more: false, complete: true }]
  })
  const { messages } = await (await chatClient(t, port).join('lobby')).history('p2')
  t.match(messages, [{ text: 'new' }])
  t.equal(asked, 2)
})

t.test('an invalid change ends the connection, which rejects the pages under way', async (t) => {
  const { port } = await fakeServer(t, ({ type, room, before }) => type === 'history'
    ? [changed(room, 'p1', 'r1', { reactions: 5 }), { type, room, before, messages: [message(room, 'p1', 'one')], more: false, complete: true }]
    : undefined)
  await t.rejects((await chatClient(t, port).join('lobby')).history('p2'), { code: 'offline' })
})

const room = { name: 'a', onPost: () => {} }

/** Returns the requests of a client, and what they have sent. */
function requests (t: Test) {
  const sent: unknown[] = []
  const server = remoteServer((json) => sent.push(JSON.parse(json)) > 0)
  t.teardown(() => server.limiter.clear())
  server.joinedRooms.set(room.name, room)
  const pages = pageRequests(server, backoff(1, 1))
  return { pages, sent }
}

const pageOf = (direction: Direction, position: string, ...texts: string[]): Of<'history'> => ({
  type: 'history',
  room: 'a',
  [direction]: position,
  messages: texts.map((text, i) => ({ room: 'a', position: `q${i}`, at: editedAt, from: null, text })),
  more: false,
  complete: true
})

for (const direction of ['before', 'after'] as const) {
  t.test(`changes that overtake a page ${direction} a position, or that it overtakes, are part of it`, async (t) => {
    const { pages, sent } = requests(t)
    const change = (position: string, text: string): Change => ({ position, revision: text, text, editedAt })
    const page = pages.history(room, 'p', 10, direction)
    t.strictSame(sent, [{ type: 'history', room: 'a', [direction]: 'p', limit: 10 }])
    pages.onChanges('a', [change('q0', 'changed before it')])
    pages.onChanges('b', [change('q1', 'changed in another room')])
    pages.onHistory(pageOf(direction, 'p', 'one', 'two'))
    pages.onChanges('a', [change('q1', 'changed after it')])
    t.strictSame((await page).messages.map(({ text }) => text), ['changed before it', 'changed after it'])
  })

  t.test(`a page answers the request for its direction, when ${direction} is requested last`, async (t) => {
    const { pages } = requests(t)
    const other = direction === 'after' ? 'before' : 'after'
    const [first, second] = [pages.history(room, 'p', 10, other), pages.history(room, 'p', 10, direction)]
    pages.onHistory(pageOf(direction, 'p', direction))
    pages.onHistory(pageOf(other, 'p', other))
    t.match([await first, await second], [{ messages: [{ text: other }] }, { messages: [{ text: direction }] }])
  })

  t.test(`a page ${direction} a position that can't be one isn't requested`, async (t) => {
    const { pages, sent } = requests(t)
    await t.rejects(pages.history(room, '', 10, direction), { code: 'invalid', message: `${direction} must be a position` })
    t.strictSame(sent, [])
  })
}
