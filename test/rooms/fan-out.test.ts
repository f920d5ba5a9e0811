import type { Socket } from 'node:net'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import type { WebSocket } from 'ws'
import type { FastifyChatOptions } from '../../src/index.ts'
import { lmdb } from '../../src/drivers/lmdb/backend.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'
import type { ServerMessage } from '../../src/protocol.ts'
import { build, listen } from '../support/app.ts'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { directory } from '../support/directory.ts'
import { clientFrame, serverFrames, wholeFrames } from '../support/frames.ts'
import { upgraded, type RawClient } from '../support/raw-client.ts'
import { wired, type Wire } from '../support/server-side.ts'
import { backendOf, backendWith } from '../support/backend.ts'
import { tick } from '../support/tick.ts'
import { protocol, texts, type V1Client } from '../support/v1-client.ts'
import { take } from '../support/websocket-client.ts'

const [TEXT, BINARY, CLOSE, PING, PONG] = [1, 2, 8, 9, 10]

interface Seen<T> { readonly client: T, readonly wire: Wire }

/** Joins the members one at a time. */
async function gathered<T> (joins: Array<() => Promise<Seen<T>>>): Promise<Array<Seen<T>>> {
  const members: Array<Seen<T>> = []
  for (const join of joins) members.push(await join())
  return members
}

const v1 = ({ app, member }: ChatApp, hello = {}) => () => wired(app, () => member(hello, 'lobby'))
const plain = ({ app, plain: join }: ChatApp, query = '') => () => wired(app, () => join(query))

/** Resolves when each member has received presence with this count. Presence is a separate write, at any time. */
async function settled (members: Array<Seen<V1Client>>, count: number): Promise<void> {
  for (const { client } of members) await client.presence((presence) => presence.count === count)
}

/** Starts a chat that counts the posts of each event-loop tick in which something was posted. */
async function counting (t: Test, options: FastifyChatOptions = {}) {
  const posts: number[] = []
  let counted = false
  const backend = backendWith((works) => ({
    append (...args) {
      if (!counted) {
        counted = true
        posts.push(0)
        setImmediate(() => { counted = false })
      }
      posts.push(posts.pop()! + 1)
      return works.append(...args)
    }
  }))
  return { ...await chat(t, { ...options, backend }), posts }
}

/** Asserts one write per tick, and at most one more for each burst in a quiet room. */
function assertWrites (t: Test, writes: number, posts: readonly number[]): void {
  const bursts = posts.filter((count, i) => count > 1 && (posts[i - 1] ?? 0) <= 1)
  t.ok(writes >= posts.length && writes <= posts.length + bursts.length, `${writes} writes for ${posts} posts per tick`)
}

t.test('the posts of one tick share a write, except the first post of a quiet room', async (t) => {
  const room = await counting(t)
  const talkers = await gathered(Array.from({ length: 8 }, (_, i) => v1(room, { name: `v${i}` })))
  const others = await gathered(Array.from({ length: 8 }, (_, i) => plain(room, `?name=p${i}`)))
  await settled(talkers, 16)
  for (const { wire } of [...talkers, ...others]) wire.writes.length = 0

  const ids = talkers.map(({ client }) => Array.from({ length: 4 }, (_, i) => client.post('lobby', `${i}`)))
  for (const { client } of others) for (let i = 0; i < 4; i++) client.socket.send(`${i}`)
  const received = await Promise.all([
    ...talkers.map(async ({ client }) => (await client.take(64 + 4))
      .flatMap((message) => message.type === 'message' ? [`${message.from?.name}: ${message.text}`] : [])),
    ...others.map(({ client }) => take(client, 64))
  ])

  t.ok(room.posts.length < 16, `${room.posts.length} ticks for the messages of 16 members`)
  const { length: writes } = talkers[0]!.wire.writes
  assertWrites(t, writes, room.posts)
  for (const [i, { wire }] of [...talkers, ...others].entries()) {
    t.equal(wire.writes.length, writes, 'each member receives as many writes')
    t.strictSame(received[i], received[0], 'all members receive one order')
  }
  for (const [i, { wire }] of talkers.entries()) {
    const acked = wire.writes.flatMap((write) => {
      const frames = wholeFrames(Buffer.concat(write)).map(({ payload }) => JSON.parse(payload.toString()) as { type: string, id: string, position: string })
      const positions = frames.flatMap(({ type, position }) => type === 'message' ? [position] : [])
      const acks = frames.filter(({ type }) => type === 'ack')
      t.ok(acks.every((ack) => positions.includes(ack.position) && frames.indexOf(ack) >= positions.length), 'an ack is in the write of its message, after it')
      return acks.map(({ id }) => id)
    })
    t.strictSame(acked, ids[i])
  }
  for (const members of [talkers, others]) {
    for (let write = 0; write < writes; write++) {
      t.equal(new Set(members.map(({ wire }) => wire.writes[write]![0])).size, 1, 'members of one wire format share one buffer')
    }
  }
})

t.test('a post to a quiet room is written at once, those of a busy room at the end of the tick', async (t) => {
  const room = await chat(t)
  const [talker] = await gathered([v1(room)])
  const [listener] = await gathered([plain(room)])
  await settled([talker!], 2)
  const { wire: { writes } } = listener!
  writes.length = 0
  /** Publishes messages, and resolves in the same tick, when the store has delivered them. */
  const publish = async (...texts: string[]): Promise<void> => {
    await Promise.all(texts.map((text) => room.app.chat.publish('lobby', { text })))
    await new Promise<void>((resolve) => process.nextTick(resolve))
  }

  await publish('a')
  t.equal(writes.length, 1, 'written at once')
  await publish('b')
  await publish('c', 'd')
  t.equal(writes.length, 1, 'later messages of the tick wait')
  await tick()
  t.equal(writes.length, 2, 'and are written together')
  await publish('e')
  t.equal(writes.length, 2, 'a room with several messages in a tick is expected to have more')
  await tick()
  t.equal(writes.length, 3)
  await publish('f')
  t.equal(writes.length, 4, 'it is quiet again after a tick with one')
  await tick()
  await publish('g', 'h')
  t.equal(writes.length, 4, 'two messages that are posted together wait for the end of the tick')
  t.strictSame(await take(listener!.client, 8), [...'abcdefgh'])
  t.equal(writes.length, 5)
})

/** A store that delivers an entry in a later tick than its `append` resolves, as Redis may. */
const delivering = () => backendWith((works) => ({
  follow: (room, deliver) => works.follow(room, (page) => { setImmediate(() => deliver(page)) })
}))

for (const [store, backend] of Object.entries({ memory: () => memory(), lmdb: (t: Test) => lmdb({ path: directory(t) }), 'a later delivery': delivering })) {
  t.test(`a post to a quiet room and its ack leave in one write with ${store}`, async (t) => {
    const room = await chat(t, { backend: backend(t) })
    const [talker] = await gathered([v1(room)])
    const [listener] = await gathered([plain(room)])
    await settled([talker!], 2)
    for (let i = 0; i < 10; i++) {
      for (const { wire } of [talker!, listener!]) wire.writes.length = 0
      talker!.client.post('lobby', `${i}`)
      t.match(await talker!.client.take(2), [{ type: 'message' }, { type: 'ack' }])
      await listener!.client.next()
      t.strictSame([talker!, listener!].map(({ wire }) => wire.writes.length), [1, 1])
    }
  })
}

/** Encodes messages as client frames that are sent in one packet. */
const packet = (...messages: object[]) => Buffer.concat(messages.map((message) => clientFrame(TEXT, JSON.stringify(message))))

t.test('answers and room messages of one tick leave in one write, in order', async (t) => {
  const room = await chat(t, { backend: backendOf({ roster: new MemoryRoster({ coalesce: 1 }) }) })
  const { client, wire } = await wired(room.app, () => upgraded(t, room.port, '/chat', undefined, { 'Sec-WebSocket-Protocol': protocol }))
  const received = () => serverFrames(client.received).map(({ opcode, payload }) => opcode === PONG ? { type: 'PONG' } : JSON.parse(payload.toString()) as ServerMessage)
  const until = (satisfied: (messages: Array<{ type: string }>) => boolean) => client.until(() => satisfied(received()))
  client.socket.write(packet({ type: 'hello' }, { type: 'join', room: 'lobby' }))
  await until((messages) => messages.at(-1)?.type === 'presence')
  client.socket.write(packet({ type: 'post', room: 'lobby', id: 'first', text: 'first' }))
  await until((messages) => messages.at(-1)?.type === 'ack')

  const before = received().length
  wire.writes.length = 0
  client.socket.write(Buffer.concat([
    packet({ type: 'ping', id: '1' }, { type: 'post', room: 'lobby', id: 'first', text: 'first' }, { type: 'leave', room: 'nowhere' }),
    clientFrame(PING),
    packet({ type: 'history', room: 'lobby', before: 'unknown', limit: 10 }, { type: 'post', room: 'lobby', id: 'second', text: 'second' }, { type: 'ping', id: '2' })
  ]))
  await until(({ length }) => length >= before + 8)
  t.match(received().slice(before), [
    { type: 'pong', id: '1' },
    { type: 'error', code: 'not_joined' },
    { type: 'PONG' },
    { type: 'ack', id: 'first' },
    { type: 'history', complete: false },
    { type: 'pong', id: '2' },
    { type: 'message', text: 'second' },
    { type: 'ack', id: 'second' }
  ])
  t.equal(wire.writes.length, 1)
})

t.test("a member with self=0 receives the others' messages, and all others share one buffer", async (t) => {
  const room = await counting(t)
  const deaf = await gathered([plain(room, '?self=0&name=a'), plain(room, '?self=0&name=b'), plain(room, '?self=0&name=c')])
  const hearing = await gathered([plain(room), plain(room), plain(room)])
  for (const { wire } of [...deaf, ...hearing]) wire.writes.length = 0

  for (const { client } of deaf.slice(0, 2)) for (const text of ['one', 'two']) client.socket.send(text)
  t.strictSame(await take(deaf[0]!.client, 2), ['b: one', 'b: two'])
  t.strictSame(await take(deaf[1]!.client, 2), ['a: one', 'a: two'])
  const received = await Promise.all([...hearing, deaf[2]!].map(({ client }) => take(client, 4)))
  for (const messages of received) t.strictSame(messages, received[0])

  const whole = [...hearing, deaf[2]!].map(({ wire }) => wire.writes)
  for (const writes of whole) {
    assertWrites(t, writes.length, room.posts)
    t.ok(writes.every(([bytes], i) => bytes === whole[0]![i]![0]), 'all receiving members share one buffer, also one that posted nothing')
  }
  t.ok(deaf[0]!.wire.writes.flat().every((bytes) => !whole[0]!.flat().includes(bytes)))

  await room.app.chat.publish('lobby', { text: 'from nobody' })
  await Promise.all([...deaf, ...hearing].map(({ client }) => client.next()))
  t.equal(new Set([...deaf, ...hearing].map(({ wire }) => wire.writes.at(-1)![0])).size, 1, 'members with self=0 that posted nothing share it too')
})

t.test('a member with self=0 that posts alone receives no write', async (t) => {
  const room = await chat(t)
  const [deaf, other] = await gathered([plain(room, '?self=0'), plain(room)])
  deaf!.wire.writes.length = 0
  for (let i = 0; i < 50; i++) deaf!.client.socket.send(`${i}`)
  await take(other!.client, 50)
  t.strictSame(deaf!.wire.writes, [])
})

t.test('a member that joins mid-tick receives later entries; the others still share one buffer', async (t) => {
  const room = await chat(t)
  const [talker, ...members] = await gathered([plain(room), plain(room), plain(room)])
  const late = await wired(room.app, () => room.member())
  for (const { wire } of members) wire.writes.length = 0
  for (let i = 0; i < 20; i++) talker!.client.socket.send(`${i}`)
  late.client.say({ type: 'join', room: 'lobby', history: 100 })
  for (let i = 20; i < 40; i++) talker!.client.socket.send(`${i}`)
  await Promise.all(members.map(({ client }) => take(client, 40)))
  for (const { wire } of members) t.ok(wire.writes.every(([bytes], i) => bytes === members[0]!.wire.writes[i]![0]))
  const { messages } = await late.client.expect('joined')
  const rest = await late.client.take(40 - messages.length)
  t.strictSame([...texts(messages), ...texts(rest)], Array.from({ length: 40 }, (_, i) => `${i}`))
})

/** Pings the server. Resolves with the payload of its pong. */
function ponged (socket: WebSocket, payload: string): Promise<void> {
  socket.ping(payload)
  return new Promise((resolve) => {
    socket.on('pong', function pong (answer: Buffer) {
      if (answer.toString() !== payload) return
      socket.off('pong', pong)
      resolve()
    })
  })
}

t.test('control frames are written between whole frames, even during a flood', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const heartbeatInterval = 25_000
  const room = await chat(t, { heartbeatInterval }, { controlRate: Infinity })
  const talkers = await gathered([v1(room), v1(room), v1(room)])
  const [listener] = await gathered([plain(room)])
  const members = [...talkers, listener!]
  // The server pings once a round: during delivery, before the batch is written, or after it.
  let received = 0
  let beaten = () => {}
  const beat = () => {
    mock.timers.tick(heartbeatInterval)
    beaten()
  }
  await room.app.chat.subscribe('lobby', () => {
    received++
    if (received % 90 === 20) beat()
    if (received % 90 === 50) setImmediate(beat)
    if (received % 90 === 80) setImmediate(() => setImmediate(beat))
  })

  for (let round = 0; round < 30; round++) {
    const beats = new Promise<void>((resolve) => { beaten = resolve })
    for (const { client } of talkers) {
      for (let i = 0; i < 10; i++) {
        client.post('lobby', `${round} ${i} ${'x'.repeat(i * 200)}`)
        if (i % 3 === 0) client.socket.ping(`${round} ${i}`)
      }
    }
    await Promise.all([...talkers.map(({ client }) => client.take(30 + 10)), take(listener!.client, 30), beats])
    // Each member must send something: a connection silent between two pings is terminated.
    await Promise.all(members.map(({ client }) => ponged(client.socket, `end of ${round}`)))
  }

  const asked = Array.from({ length: 30 }, (_, round) => [...[0, 3, 6, 9].map((i) => `${round} ${i}`), `end of ${round}`]).flat()
  for (const { wire } of members) {
    const frames = wholeFrames(Buffer.concat(wire.writes.flat()))
    const pongs = frames.flatMap(({ opcode, payload }) => opcode === PONG ? [payload.toString()] : [])
    t.strictSame(pongs, wire === listener!.wire ? asked.filter((ping) => ping.startsWith('end')) : asked)
    t.equal(frames.filter(({ opcode }) => opcode === PING).length, 30)
    t.equal(frames.filter(({ opcode, payload }) => opcode === TEXT && payload.includes(' xxx')).length, 30 * 3 * 9)
  }
  t.strictSame(room.app.lines.filter(({ level }) => level >= 40), [])
})

/** Connects `size` plain members over raw sockets. */
async function crowd (t: Test, port: number, size: number, path = '/chat?room=hall'): Promise<RawClient[]> {
  const members: RawClient[] = []
  while (members.length < size) {
    members.push(...await Promise.all(Array.from({ length: Math.min(100, size - members.length) }, () => upgraded(t, port, path))))
  }
  return members
}

t.test('a room of over 1,000 members is served in slices, and all receive everything in order', async (t) => {
  const app = await build(t, { chat: { greeting: false } })
  const port = await listen(app)
  const sockets: Socket[] = []
  app.server.on('connection', (socket: Socket) => sockets.push(socket))
  const size = 1_100
  const members = await crowd(t, port, size)
  const answer = sockets[0]!.bytesWritten
  const served = () => sockets.filter(({ bytesWritten }) => bytesWritten > answer).length

  await app.chat.publish('hall', { text: '0' })
  const steps: number[] = []
  for (let before = 0; before < size;) {
    await tick()
    const now = served()
    steps.push(now - before)
    before = now
  }
  t.ok(steps.every((step) => step <= size / 2), `members served per tick: ${steps}`)

  // Published once per tick while slices are served, so that many fall between two slices of one batch.
  const last = 30
  for (let i = 1; i <= last; i++) {
    await app.chat.publish('hall', { text: `${i}` })
    await tick()
  }
  const wanted = Array.from({ length: last + 1 }, (_, i) => `${i}`)
  const received = await Promise.all(members.map((member) => member.until((received) => serverFrames(received).length > last)))
  t.equal(received.filter((received) => wholeFrames(received).map(({ payload }) => payload.toString()).join() === wanted.join()).length, size)
})

t.test('a large room pauses for the duration of its last batch once it is saturated', async (t) => {
  const app = await build(t, { chat: { greeting: false } })
  const port = await listen(app)
  const join = () => wired(app, () => upgraded(t, port, '/chat?room=hall'))
  const first = await join()
  const members = await crowd(t, port, 600)
  const last = await join()
  const guest = await wired(app, () => upgraded(t, port, '/chat?room=booth'))
  const all = [first.client, ...members, last.client]
  while ((await app.chat.members('hall')).count < all.length) await tick()
  for (const { wire } of [first, last, guest]) wire.writes.length = 0
  mock.timers.enable({ apis: ['setTimeout'] })
  // Later than any pause after the presence of the joins.
  let now = performance.now() + 60_000
  mock.method(performance, 'now', () => now)
  t.teardown(() => mock.reset())
  const pass = (ms: number) => {
    now += ms
    mock.timers.tick(ms)
  }
  /** Publishes a message, and resolves when the first member has received it in a batch that the last member hasn't received yet. */
  const begin = async (text: string) => {
    const batches = first.wire.writes.length
    await app.chat.publish('hall', { text })
    while (first.wire.writes.length === batches) await tick()
    t.strictSame([first, last].map(({ wire }) => wire.writes.length), [batches + 1, batches], `${text} is written in slices`)
  }
  const took = 40

  await begin('a')
  for (const text of ['b', 'c', 'd']) {
    pass(took)
    await begin(text)
  }
  pass(took)
  await app.chat.publish('hall', { text: 'e' })
  await Promise.all(all.map((member) => member.until((received) => serverFrames(received).length === 4)))
  await app.chat.publish('hall', { text: 'f' })
  pass(took - 1)
  // Two batches of 256 KiB; the second is due as soon as the first is served.
  for (let i = 0; i < 40; i++) void app.chat.publish('booth', { text: 'x'.repeat(16 * 1024) })
  await guest.client.until((received) => serverFrames(received).length === 40)
  t.strictSame([first, last].map(({ wire }) => wire.writes.length), [4, 4], 'the large room still pauses')

  pass(1)
  const received = await Promise.all(all.map((member) => member.until((received) => serverFrames(received).length === 6)))
  t.equal(received.filter((received) => wholeFrames(received).map(({ payload }) => payload.toString()).join('') === 'abcdef').length, all.length)
  t.strictSame([first, last].map(({ wire }) => wire.writes.length), [5, 5], 'messages posted during the pause are one batch')

  await begin('g')
  pass(took)
  await begin('h')
  await Promise.all(all.map((member) => member.until((received) => serverFrames(received).length === 8)))
  t.strictSame([first, last].map(({ wire }) => wire.writes.length), [7, 7], 'without a pause, as the room caught up before')
})

t.test("flushInterval delays a room's messages into one write with their acks, in order", async (t) => {
  const flushInterval = 40
  const room = await chat(t, { flushInterval })
  const [talker] = await gathered([v1(room)])
  const [listener] = await gathered([plain(room)])
  await settled([talker!], 2)
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())

  for (let batch = 0; batch < 3; batch++) {
    for (const { wire } of [talker!, listener!]) wire.writes.length = 0
    const ids: string[] = []
    for (let i = 0; i < 3; i++) {
      ids.push(talker!.client.post('lobby', `${batch} ${i}`))
      // A pong is not delayed, so it shows that the server has handled the post before it.
      talker!.client.say({ type: 'ping', id: `${batch} ${i}` })
      t.match(await talker!.client.next(), { type: 'pong', id: `${batch} ${i}` })
      mock.timers.tick(i === 0 ? flushInterval - 1 : 0)
      await tick()
    }
    t.strictSame(listener!.wire.writes, [], 'delayed')
    talker!.wire.writes.length = 0
    mock.timers.tick(1)
    const wanted = [0, 1, 2].map((i) => `${batch} ${i}`)
    t.strictSame(await take(listener!.client, 3), wanted)
    const messages = await talker!.client.take(6)
    t.strictSame(texts(messages), wanted)
    t.strictSame(messages.flatMap((message) => message.type === 'ack' ? [message.id] : []), ids)
    t.strictSame([listener!.wire.writes.length, talker!.wire.writes.length], [1, 1])
  }
})

t.test('by default no write is delayed', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const room = await chat(t)
  const listener = await room.plain()
  for (let i = 0; i < 5; i++) {
    await room.app.chat.publish('lobby', { text: `${i}` })
    t.equal(await listener.next(), `${i}`)
  }
})

t.test('echo answers the messages of one packet in one write, text as text and binary as binary', async (t) => {
  const app = await build(t)
  const port = await listen(app)
  const { client, wire } = await wired(app, () => upgraded(t, port, '/echo'))
  for (let round = 1; round <= 3; round++) {
    wire.writes.length = 0
    const messages = Array.from({ length: 16 }, (_, i) => ({ opcode: i % 2 === 0 ? TEXT : BINARY, payload: Buffer.from(`${round} ${i} ${'x'.repeat(i * 50)}`) }))
    client.socket.write(Buffer.concat(messages.map(({ opcode, payload }) => clientFrame(opcode, payload))))
    const received = await client.until((received) => serverFrames(received).length >= round * 16)
    t.strictSame(wholeFrames(received).slice(-16).map(({ opcode, payload }) => ({ opcode, payload })), messages)
    t.equal(wire.writes.length, 1)
  }
})

t.test('echo answers the messages before a close frame, then closes', async (t) => {
  const client = await upgraded(t, await listen(await build(t)), '/echo')
  const messages = ['0', '1', 'x'.repeat(1_000)]
  client.socket.write(Buffer.concat([...messages.map((text) => clientFrame(TEXT, text)), clientFrame(CLOSE, Buffer.from([3, 232]))]))
  await client.ended
  t.strictSame(wholeFrames(client.received).map(({ opcode, payload }) => opcode === CLOSE ? payload.readUInt16BE() : payload.toString()), [...messages, 1000])
})
