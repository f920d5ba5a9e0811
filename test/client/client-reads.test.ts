import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { backoff } from '../../src/client/backoff.ts'
import { roomReads } from '../../src/client/room/room-reads.ts'
import type { Joined, ReadPosition } from '../../src/client/node.ts'
import { chatClient, nextEvent, state } from '../support/chat-client.ts'
import { fakeServer, joined, message, welcomeWithReads, welcomeWithSignals, type Answer } from '../support/fake-server.ts'

/** Returns messages of another member at these positions. */
function others (...positions: string[]) {
  return positions.map((position) => ({ ...message('lobby', position, position), from: { id: 'other', name: '' } }))
}

/** Returns a message of this member. */
function own (position: string) { return { ...message('lobby', position, 'own'), from: { id: 'me', name: '' } } }

/** Three messages of another member, none of them read. */
const three = { messages: others('p1', 'p2', 'p3'), position: 'p3', readPosition: 'p0', unread: 3 }

/** Resolves with a room of a server that supports read positions. @param joins the rest of each `joined`, by connection */
async function inRoom (t: Test, joins: object[], answer: Answer = () => undefined, hello: object = welcomeWithReads) {
  const fake = await fakeServer(t, (received, connection) => {
    const { type, room, data } = received
    const given = answer(received, connection)
    if (given !== undefined) return given
    if (type === 'hello') return [{ type: 'welcome', ...hello }]
    if (type === 'join') return [joined(room, joins[connection - 1])]
    return type === 'signal' ? data as Array<{ type: string }> : undefined
  })
  const client = chatClient(t, fake.port)
  const room = await client.join('lobby')
  const marks = () => fake.requests.filter(({ type }) => type === 'markRead')
  return {
    client,
    room,
    ...fake,
    /** Returns the positions that were marked. */
    marks: () => marks().map(({ position }) => position),
    /** Returns the position and `again` of each mark. */
    repeats: () => marks().map(({ position, again }) => [position, again]),
    /** Posts until the server has received this number of marks. */
    marked: async (count: number) => { while (marks().length < count) await room.post('until it is sent') },
    /** Resolves when the room has received what the server sends. */
    receive: async (...sent: object[]) => {
      room.signal(sent)
      await room.post('last')
    },
    /** Ends the connection. Resolves when the room is joined again. */
    rejoin: async (whileOffline = () => {}) => {
      const waiting = state(client, 'waiting')
      for (const socket of fake.server.clients) socket.terminate()
      await waiting
      whileOffline()
      const again = nextEvent(room, 'joined', ({ again }) => again)
      await again
      await room.post('last')
    }
  }
}

/** Refuses the first marks with these codes. */
function refuse (codes: string[]): Answer {
  return ({ type, room }) => {
    const code = type === 'markRead' ? codes.shift() : undefined
    return code === undefined ? undefined : [{ type: 'error', code, message: 'no', room, request: type, retryAfter: 1 }]
  }
}

t.test('the count begins with the count of the server, and includes later messages', async (t) => {
  const { room, receive } = await inRoom(t, [{ ...three, readPosition: 'p1', unread: 2 }])
  t.match(room, { readPosition: 'p1', unread: 2 })
  await receive(...others('p4'), message('lobby', 'p5', 'of the app'))
  t.match(room, { readPosition: 'p1', unread: 4 })
  await receive(own('p6'))
  t.match(room, { readPosition: 'p6', unread: 0 })
})

t.test('a mark counts the messages after it, and never moves back', async (t) => {
  const { room, receive, marks } = await inRoom(t, [three])
  const events: ReadPosition[] = []
  room.on('readPosition', ({ position, unread }) => events.push({ position, unread }))
  room.markRead('p2')
  room.markRead('p1')
  room.markRead('p2')
  t.match(room, { readPosition: 'p2', unread: 1 })
  await receive()
  t.strictSame(marks(), ['p2'])
  room.markRead()
  t.match(room, { readPosition: 'p3', unread: 0 })
  t.strictSame(events, [{ position: 'p2', unread: 1 }, { position: 'p3', unread: 0 }])
  t.throws(() => room.markRead(''), { code: 'invalid' })
})

t.test('the newest of several marks is sent a second after the first', async (t) => {
  const { room, marks } = await inRoom(t, [three],
    ({ type, room, position }) => type === 'markRead' ? [{ type: 'signal', room, from: { id: 'x', name: '' }, data: position }] : undefined)
  const isSent = nextEvent(room, 'signal', ({ data }) => data === 'p3')
  const before = performance.now()
  for (const position of ['p1', 'p2', 'p3']) room.markRead(position)
  await isSent
  t.strictSame(marks(), ['p1', 'p3'])
  t.ok(performance.now() - before > 990)
})

t.test('a mark that waits is sent before a request for rooms, the end of a room and a close', async (t) => {
  const { client, room, marks, requests, server } = await inRoom(t, [three], ({ type, id }) => type === 'rooms' ? [{ type, id, rooms: [] }] : undefined)
  room.markRead('p1')
  room.markRead('p2')
  t.equal((await client.rooms().next()).done, true)
  t.strictSame(marks(), ['p1', 'p2'])
  room.markRead('p3')
  room.leave()
  const other = await client.join('other')
  t.strictSame(requests.slice(-3).map(({ type, position }) => position ?? type), ['p3', 'leave', 'join'])
  other.markRead('p1')
  other.markRead('p2')
  const closed = Promise.all([...server.clients].map((socket) => new Promise((resolve) => socket.on('close', resolve))))
  client.close()
  await closed
  t.strictSame(marks().slice(3), ['p1', 'p2'])
})

t.test('a mark that was made offline is sent after the next join', async (t) => {
  const { room, marks, rejoin } = await inRoom(t, [three, { position: 'p5', messages: others('p4', 'p5'), readPosition: 'p0', unread: 5 }])
  await rejoin(() => room.markRead())
  t.strictSame(marks(), ['p3'])
  t.match(room, { readPosition: 'p3', unread: 2 })
})

t.test('a mark that was made offline is not sent if the server knows a later one', async (t) => {
  const { room, marks, rejoin } = await inRoom(t, [three, { position: 'p5', messages: others('p4', 'p5'), readPosition: 'p4', unread: 1 }])
  await rejoin(() => room.markRead('p2'))
  t.match(room, { readPosition: 'p4', unread: 1 })
  t.strictSame(marks(), [])
})

t.test('a mark that the server has lost is sent again, as a repeat', async (t) => {
  const { room, receive, rejoin, repeats, marked } = await inRoom(t, [three, { position: 'p3', readPosition: 'p1', unread: 2 }])
  room.markRead('p2')
  await receive()
  await rejoin()
  await marked(2)
  t.strictSame(repeats(), [['p2', undefined], ['p2', true]])
  t.match(room, { readPosition: 'p2', unread: 1 })
})

t.test('a mark made offline has no again, and neither has one that follows a repeated mark', async (t) => {
  const { room, rejoin, repeats, marked } = await inRoom(t, [three, { position: 'p3', readPosition: 'p0', unread: 3 }, { position: 'p3' }])
  await rejoin(() => room.markRead('p1'))
  await marked(1)
  await rejoin()
  await marked(2)
  room.markRead('p2')
  await marked(3)
  t.strictSame(repeats(), [['p1', undefined], ['p1', true], ['p2', undefined]])
})

t.test('without a position of the server, the client repeats its own, but no mark made offline', async (t) => {
  const { room, receive, rejoin, repeats, marked } = await inRoom(t, [three, { position: 'p4' }, { position: 'p4' }])
  await receive(own('p4'))
  await rejoin()
  await marked(1)
  await receive(...others('p5'), { type: 'forgotten', room: 'lobby' })
  await rejoin(() => room.markRead('p5'))
  await marked(2)
  t.strictSame(repeats(), [['p4', true], ['p5', undefined]])
})

t.test('forgotten drops the marks that were not sent', async (t) => {
  const { room, receive, marks, rejoin, marked } = await inRoom(t, [three, { position: 'p3' }])
  const events: Array<[string | undefined, number | undefined]> = []
  room.on('readPosition', ({ position, unread }) => events.push([position, unread]))
  room.markRead('p1')
  room.markRead('p2')
  await receive({ type: 'forgotten', room: 'lobby' }, { type: 'forgotten', room: 'lobby' }, { type: 'forgotten', room: 'other' })
  t.match([room.readPosition, room.unread], [undefined, undefined])
  await rejoin()
  t.strictSame(events, [['p1', 2], ['p2', 1], [undefined, undefined]])
  t.strictSame(marks(), ['p1'])
  room.markRead('p1')
  t.match(room, { readPosition: 'p1', unread: 2 })
  await marked(2)
})

t.test('the count of the server is used after messages were removed, and after a gap', async (t) => {
  const { room, receive, rejoin } = await inRoom(t, [three,
    { position: 'p9', messages: others('p9'), readPosition: 'p0', unread: 2 },
    { position: 'r3', messages: others('r2', 'r3'), complete: false, readPosition: 'p0', unread: 3 }])
  await rejoin()
  t.match(room, { readPosition: 'p0', unread: 2 }, 'fewer messages are kept')
  await rejoin()
  t.match(room, { readPosition: 'p0', unread: 3 })
  await receive(...others('r4'))
  t.equal(room.unread, 4)
})

t.test('marks on another device move the read position forward only', async (t) => {
  const { room, receive, marks } = await inRoom(t, [three])
  const moved = (position: string) => ({ type: 'readPosition', room: 'lobby', position })
  const events: Array<string | undefined> = []
  room.on('readPosition', ({ position }) => events.push(position))
  await receive(moved('p2'), moved('p1'))
  t.match(room, { readPosition: 'p2', unread: 1 })
  await receive(moved('p5'), ...others('p4'))
  t.match(room, { readPosition: 'p2', unread: 2 }, 'the message has not arrived')
  await receive(...others('p5', 'p6'))
  t.match(room, { readPosition: 'p5', unread: 1 })
  t.strictSame(events, ['p2'])
  t.strictSame(marks(), [])
})

t.test('a mark on another device takes effect when a view or page with its message arrives', async (t) => {
  const moved = (position: string) => ({ type: 'readPosition', room: 'lobby', position })
  const view = (...positions: string[]) => joined('lobby', { messages: others(...positions), position: positions.at(-1)!, complete: false })
  const { room, receive } = await inRoom(t, [{ messages: [], position: 'p0' }], ({ type, room, before }) => type === 'history'
    ? [{ type, room, before, messages: others('h1', 'h2'), more: false, complete: true }]
    : undefined)
  await receive(moved('r1'), view('r1', 'r2'), moved('r1'))
  t.match(room, { readPosition: 'r1', unread: 1 })
  await receive(view('s1'), moved('h1'))
  t.match([room.readPosition, room.unread], [undefined, undefined])
  const event = nextEvent(room, 'readPosition')
  await room.history('s1')
  t.match(await event, { position: 'h1', unread: 2 })
})

t.test('a page of history extends the messages that can be marked', async (t) => {
  const { room, receive } = await inRoom(t, [{ ...three, readPosition: 'h0', unread: 6 }], ({ type, room, before }) => type === 'history'
    ? [{ type, room, before, messages: others('h1', 'h2', 'h3'), more: false, complete: true }]
    : undefined)
  room.markRead('h2')
  t.match(room, { readPosition: 'h0', unread: 6 }, 'its place is not known')
  await room.history('p1')
  room.markRead('h3')
  t.match(room, { readPosition: 'h3', unread: 3 })
  await receive()
})

t.test('the order of the last 1,000 messages is known', async (t) => {
  const { room, receive } = await inRoom(t, [{ position: 'p0', messages: [], readPosition: 'none', unread: 1 }])
  for (let i = 0; i < 1_001; i += 77) await receive(...others(...Array.from({ length: 77 }, (_, j) => `q${i + j}`)))
  t.equal(room.unread, 1_002)
  room.markRead('q0')
  t.equal(room.unread, 1_002)
  room.markRead('q1')
  t.equal(room.unread, 999)
})

t.test('a server without read positions receives none; the client counts from the first mark', async (t) => {
  const { client, room, receive, rejoin, marks } = await inRoom(t, [{ messages: others('p1', 'p2'), position: 'p2' },
    { messages: others('p4'), position: 'p4' }, { messages: others('r1'), position: 'r1', complete: false }], undefined, welcomeWithSignals)
  t.match([room.readPosition, room.unread], [undefined, undefined])
  room.markRead('p1')
  await receive(...others('p3'))
  t.match(room, { readPosition: 'p1', unread: 2 })
  await rejoin()
  t.match(room, { readPosition: 'p1', unread: 3 })
  await rejoin()
  t.match([room.readPosition, room.unread], [undefined, undefined], 'after a gap')
  t.strictSame(marks(), [])
  t.throws(() => client.forget('lobby'), { code: 'unsupported' })
  await t.rejects(client.rooms().next(), { code: 'unsupported' })
})

t.test('a mark that the server refuses is repeated if it may succeed later', async (t) => {
  const codes = ['unavailable']
  const { client, room, marks, marked } = await inRoom(t, [three], refuse(codes))
  client.on('error', () => t.fail())
  room.markRead('p1')
  await marked(2)
  t.strictSame(marks(), ['p1', 'p1'])
})

t.test('a mark at an unknown message is repeated when it was refused, and when it was lost', async (t) => {
  const { room, rejoin, repeats, marked } = await inRoom(t, [three, { position: 'p3', readPosition: 'p0', unread: 3 }], refuse(['unavailable']))
  room.markRead('h1')
  await marked(2)
  await rejoin()
  await marked(3)
  t.strictSame(repeats(), [['h1', undefined], ['h1', undefined], ['h1', true]])
})

t.test('own posts and marks of other devices are not repeated, but the last mark of the app', async (t) => {
  const lost = { position: 'p5', readPosition: 'p0', unread: 5 }
  const { room, receive, rejoin, repeats, marked } = await inRoom(t, [three, lost, lost])
  await receive({ type: 'readPosition', room: 'lobby', position: 'p2' }, own('p4'))
  await rejoin()
  room.markRead('p4')
  t.strictSame(repeats(), [])
  await receive(...others('p5'))
  room.markRead('p5')
  await receive(own('p6'))
  await rejoin()
  await marked(2)
  t.strictSame(repeats(), [['p5', undefined], ['p5', true]])
})

for (const [code, retryAfter] of [['unavailable', '1e9'], ['rate_limited', '1e999']]) {
  t.test(`a mark that is refused with ${code} and retryAfter ${retryAfter} does not stop posts`, async (t) => {
    const { client, room, receive } = await inRoom(t, [three], ({ type }) => type === 'markRead'
      ? (socket) => socket.send(`{"type":"error","code":"${code}","message":"no","room":"lobby","request":"markRead","retryAfter":${retryAfter}}`)
      : undefined)
    room.markRead('p1')
    await receive()
    await (await client.join('other')).post('at once')
    t.match(room, { readPosition: 'p1', unread: 2 })
  })
}

t.test('a mark that waits is not sent after the room was left', async (t) => {
  const { client, room, marks } = await inRoom(t, [three, three], undefined, { ...welcomeWithReads, limits: { rate: 10, burst: 4 } })
  room.markRead('p1')
  room.markRead('p2')
  room.leave()
  const again = await client.join('lobby')
  for (let i = 0; i < 4; i++) await again.post('beyond the time of the mark')
  t.strictSame(marks(), ['p1'])
})

t.test('a mark that was sent early delays the next one for a second', (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const sent: string[] = []
  const reads = roomReads({ send: (position) => sent.push(position) * 0, isOwn: () => false }, backoff(1, 1))
  reads.join({ ...joined('lobby', three) } as unknown as Joined, false)
  reads.move('p1', true)
  reads.move('p2', true)
  mock.timers.tick(870)
  reads.send()
  mock.timers.tick(131)
  reads.move('p3', true)
  t.strictSame(sent, ['p1', 'p2'])
  mock.timers.tick(869)
  t.strictSame(sent, ['p1', 'p2', 'p3'])
  t.end()
})

for (const code of ['not_kept', 'not_joined', 'forbidden']) {
  t.test(`a mark that is refused with ${code} is not repeated`, async (t) => {
    const { client, room, receive } = await inRoom(t, [three], refuse([code]))
    const errors: string[] = []
    client.on('error', ({ code }) => errors.push(code))
    room.markRead('p1')
    await receive()
    t.strictSame(errors, code === 'forbidden' ? ['forbidden'] : [])
    t.match(room, { readPosition: 'p1', unread: 2 })
  })
}

t.test('forgetting a room removes its read position, until it is marked again', async (t) => {
  const { client, room, requests, receive } = await inRoom(t, [three])
  const event = nextEvent(room, 'readPosition')
  t.equal(client.forget('lobby'), true)
  t.match(await event, { position: undefined, unread: undefined })
  await receive(...others('p4'))
  t.match([room.readPosition, room.unread], [undefined, undefined])
  t.equal(client.forget('unknown'), true)
  room.markRead('p3')
  t.match(room, { readPosition: 'p3', unread: 1 })
  await receive()
  t.strictSame(requests.filter(({ type }) => type === 'forget').map(({ room }) => room), ['lobby', 'unknown'])
  t.throws(() => client.forget('no room'), { code: 'invalid' })
})

t.test('rooms are requested page by page, as the loop proceeds', async (t) => {
  const { client, requests } = await inRoom(t, [three], ({ type, id, after }) => type !== 'rooms'
    ? undefined
    : after === undefined
      ? [{ type, id, rooms: [{ room: 'a', unread: 1, position: 'a1', last: others('a2')[0] }, { room: 'b', unread: 0, position: 'b1' }], next: 'b' }]
      : [{ type, id, rooms: [{ room: 'c', unread: 2, position: 'c1' }] }])
  const asked = () => requests.filter(({ type }) => type === 'rooms').map(({ after }) => after)
  const seen: unknown[] = []
  for await (const { room, unread, position, last } of client.rooms()) seen.push([room, unread, position, last?.text, asked().length])
  t.strictSame(seen, [['a', 1, 'a1', 'a2', 1], ['b', 0, 'b1', undefined, 1], ['c', 2, 'c1', undefined, 2]])
  t.strictSame(asked(), [undefined, 'b'])
})

t.test('a request for rooms is repeated after a reconnect and a rate limit', async (t) => {
  let answers = 0
  const { client } = await inRoom(t, [three, three], ({ type, id }) => {
    if (type !== 'rooms') return undefined
    switch (++answers) {
      case 1: return (socket) => socket.terminate()
      case 2: return [{ type: 'error', id, code: 'rate_limited', message: 'no', request: type, retryAfter: 1 }]
      case 3: return [{ type, id, rooms: [] }]
      case 4: return [{ type: 'error', id, code: 'unavailable', message: 'no', request: type }]
      default: return []
    }
  })
  t.strictSame(await client.rooms().next(), { done: true, value: undefined })
  await t.rejects(client.rooms().next(), { code: 'unavailable' })
  const waiting = client.rooms().next()
  client.close()
  await t.rejects(waiting, { code: 'closed' })
  await t.rejects(client.rooms().next(), { code: 'closed' })
})

t.test('requests for rooms that were made offline are sent once', async (t) => {
  const { client, requests, rejoin } = await inRoom(t, [three, three], ({ type, id }) => type === 'rooms' ? [{ type, id, rooms: [] }] : undefined,
    { ...welcomeWithReads, limits: { rate: 200, burst: 20 } })
  const pages: Array<Promise<unknown>> = []
  await rejoin(() => { for (let i = 0; i < 3; i++) pages.push(client.rooms().next()) })
  await Promise.all(pages)
  await client.rooms().next()
  t.equal(requests.filter(({ type }) => type === 'rooms').length, 4)
})
