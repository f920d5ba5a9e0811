import { once } from 'node:events'
import type { Socket } from 'node:net'
import t from 'tap'
import { errors, type Backend, type FeedPage } from '../../src/index.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import { logged } from '../support/app.ts'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { full } from '../support/full.ts'
import { gate } from '../support/gate.ts'
import { backendOf, backendWith } from '../support/backend.ts'
import { wired } from '../support/server-side.ts'
import { tick } from '../support/tick.ts'
import { texts, V1Client, type Message } from '../support/v1-client.ts'

const trimmed = (text: unknown) => String(text).trimEnd()
const upTo = (last: number, first = 1) => Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => `${first + i}`)

/** Publishes the numbers `from` to `to` as the app. Resolves with the last position. */
async function say ({ app }: ChatApp, room: string, from: number, to: number, pad = ''): Promise<string> {
  let position = ''
  for (let i = from; i <= to; i++) position = await app.chat.publish(room, { text: `${i}${pad}` })
  return position
}

/** Resolves with all texts from `joined` up to `last`. Rejects on a second `joined`. */
async function heardUpTo (client: V1Client, joined: Message<'joined'>, last: string): Promise<string[]> {
  const received = texts(joined.messages).map(trimmed)
  while (received.at(-1) !== last) received.push(trimmed((await client.expect('message')).text))
  return received
}

t.test('a client that resumes receives what it missed, once and in order, then live messages', async (t) => {
  const server = await chat(t)
  const one = await server.member({}, 'a')
  const place = await one.posted('a', '1')
  one.socket.terminate()
  await say(server, 'a', 2, 300)
  const back = await server.member()
  const joined = await back.join('a', { after: place })
  await say(server, 'a', 301, 310)
  t.equal(joined.complete, true)
  t.strictSame(await heardUpTo(back, joined, '310'), upTo(310, 2))
})

t.test('a client can resume from the position in joined, in a message and in an ack', async (t) => {
  const server = await chat(t)
  const one = await server.member()
  const places = [(await one.join('a')).position]
  for (const text of ['1', '2', '3']) places.push(await one.posted('a', text))
  await one.leave('a')
  for (const [i, after] of places.entries()) {
    const { messages, complete, position } = await one.join('a', { after })
    t.strictSame([texts(messages), complete, position], [upTo(3, i + 1), true, places.at(-1)], `after ${i}`)
    await one.leave('a')
  }
})

t.test('an unknown position gets complete: false and the newest messages, up to the limit', async (t) => {
  const server = await chat(t, { backend: memory({ historyEntries: 10 }) })
  const trimmed = await say(server, 'a', 1, 5)
  const place = await say(server, 'a', 6, 20)
  const places: Record<string, string> = {
    trimmed,
    "another room's": await say(server, 'b', 1, 20),
    'of another epoch': await new MemoryStore().append('a', { from: null, body: 'x' }).then(({ position }) => position),
    'of the future': place.replace(/20$/, '21'),
    'that never was': 'rubbish'
  }
  const client = await server.member()
  for (const [title, after] of Object.entries(places)) {
    const { messages, complete, position } = await client.join('a', { after, history: 3 })
    t.strictSame([texts(messages), complete, position], [['18', '19', '20'], false, place], `${title}`)
    await client.leave('a')
  }
  await client.join('a', { after: place })
  await say(server, 'a', 21, 21)
  t.match(await client.next(), { text: '21' })
})

t.test('a position stays valid across a restart if the store keeps its data', async (t) => {
  const store = new MemoryStore()
  const before = await chat(t, { backend: backendOf({ store }) })
  const place = await say(before, 'a', 1, 3)
  await before.app.close()
  const [same, other] = [await chat(t, { backend: backendOf({ store }) }), await chat(t)]
  await say(same, 'a', 4, 5)
  await say(other, 'a', 1, 5)
  t.match(await (await same.member()).join('a', { after: place }), { complete: true, messages: [{ text: '4' }, { text: '5' }] })
  t.match(await (await other.member()).join('a', { after: place }), { complete: false, messages: { length: 5 } })
})

t.test('a replay larger than the pending-bytes limit is sent in pages while others post', async (t) => {
  const server = await chat(t, { backend: memory({ historyEntries: 100_000, historyBytes: 64 * 1024 * 1024 }), limits: { pendingBytes: 128 * 1024 } })
  const pad = ' '.repeat(2_000)
  const { position: place } = (await server.app.chat.history('a')).head
  await say(server, 'a', 1, 4_000, pad)
  let first = 4_001
  for (const connect of [server.tcp, server.injected]) {
    const behind = await connect()
    await behind.hello()
    const joined = await behind.join('a', { after: place })
    t.equal(joined.complete, true)
    t.ok(joined.messages.length < 100, 'the first page is in joined')
    const raging = (async () => {
      for (let i = 0; i < 200; i++) {
        await say(server, 'a', first + i, first + i, pad)
        if (i % 3 === 0) await tick()
      }
    })()
    t.strictSame(await heardUpTo(behind, joined, `${first + 199}`), upTo(first + 199))
    await raging
    first += 200
    const id = behind.post('a', `${first++}`)
    t.match(await behind.take(2), [{ type: 'message', text: `${first - 1}` }, { type: 'ack', id }], 'then the client has caught up')
    await behind.end()
  }
})

t.test("a replay page waits until the last is sent: a client that doesn't read costs one page", async (t) => {
  const server = await chat(t, { backend: memory({ historyEntries: 100_000, historyBytes: 64 * 1024 * 1024 }), limits: { pendingBytes: 128 * 1024 } }, { replayRate: Infinity })
  const { position: place } = (await server.app.chat.history('a')).head
  await say(server, 'a', 1, 6_000, ' '.repeat(4_000))
  const connected = once(server.app.server, 'connection') as Promise<[Socket]>
  const behind = await server.tcp()
  const [serverSide] = await connected
  let most = 0
  const write = serverSide.write
  serverSide.write = function (...args: unknown[]) {
    const calm = (write as (...args: unknown[]) => boolean).apply(serverSide, args)
    most = Math.max(most, serverSide.writableLength)
    return calm
  } as typeof write
  await behind.hello()
  const joined = await behind.join('a', { after: place })
  behind.socket.pause()
  for (let before = -1; serverSide.bytesWritten !== before || serverSide.writableLength === 0;) {
    before = serverSide.bytesWritten
    for (let i = 0; i < 50; i++) await tick()
  }
  const stopped = serverSide.bytesWritten
  t.ok(stopped < 20 * 1024 * 1024, `${stopped} of 24 MB were written`)
  t.ok(most < 200 * 1024, `${most} bytes were pending`)
  behind.socket.resume()
  t.strictSame(await heardUpTo(behind, joined, '6000'), upTo(6_000), 'no message is lost')
})

t.test('a client whose missed entries are trimmed during catch-up receives complete: false', async (t) => {
  const second = gate()
  let pages = 0
  const works = new MemoryStore({ historyEntries: 1_000 })
  const backend = backendWith(() => ({
    append: (...args) => works.append(...args),
    follow: (...args) => works.follow(...args),
    async read (room, query) {
      if (query.after !== undefined && ++pages === 2) await second.pass()
      return await works.read(room, query)
    }
  }))
  const server = await chat(t, { backend })
  const { position: place } = (await server.app.chat.history('a')).head
  await say(server, 'a', 1, 900, ' '.repeat(1_000))
  const behind = await server.member()
  const joined = await behind.join('a', { after: place })
  t.equal(joined.complete, true)
  await second.reached
  await say(server, 'a', 901, 4_000)
  second.open()
  const again = await behind.expect('joined')
  t.equal(again.complete, false)
  const first = texts(joined.messages).map(trimmed)
  t.strictSame(first, upTo(first.length), 'no gap before')
  await say(server, 'a', 4_001, 4_010)
  t.strictSame(await heardUpTo(behind, again, '4010'), upTo(4_010, 3_951), 'no gap after')
})

t.test('a leave ends catch-up, and the client can rejoin at once', async (t) => {
  const server = await chat(t, { backend: memory({ historyEntries: 100_000, historyBytes: 64 * 1024 * 1024 }) })
  const { position: place } = (await server.app.chat.history('a')).head
  await say(server, 'a', 1, 4_000, ' '.repeat(2_000))
  const behind = await server.member()
  behind.say({ type: 'join', room: 'a', after: place })
  behind.say({ type: 'leave', room: 'a' })
  behind.say({ type: 'ping', id: 'left' })
  const received = []
  let message = await behind.next()
  for (; message.type !== 'left'; message = await behind.next()) received.push(message)
  t.ok(received.length < 2_000)
  t.strictSame(await behind.next(), { type: 'pong', id: 'left' }, 'no message of the room follows left')
  behind.say({ type: 'join', room: 'a', after: place })
  behind.say({ type: 'leave', room: 'a' })
  behind.say({ type: 'join', room: 'a', history: 1 })
  for (message = await behind.next(); message.type !== 'left';) message = await behind.next()
  const joined = await behind.expect('joined')
  t.strictSame(texts(joined.messages).map(trimmed), ['4000'])
  await say(server, 'a', 4_001, 4_003)
  t.strictSame(await heardUpTo(behind, joined, '4003'), upTo(4_003, 4_000))
})

t.test('a page that is being read when the client leaves is not sent', async (t) => {
  const second = gate()
  let pages = 0
  const server = await chat(t, {
    backend: backendWith((works) => ({
      async read (room, query) {
        const page = await works.read(room, query)
        if (query.after !== undefined && ++pages === 2) await second.pass()
        return page
      }
    }))
  })
  const { position: place } = (await server.app.chat.history('a')).head
  await say(server, 'a', 1, 900, ' '.repeat(1_000))
  const behind = await server.member({}, 'b')
  await behind.join('a', { after: place })
  await second.reached
  await behind.leave('a')
  second.open()
  await tick()
  t.match(await behind.refused({ type: 'post', room: 'a', text: 'x', id: 'i' }), { code: 'not_joined' })
  await behind.posted('b', 'and nothing of the room comes after')
})

t.test('posts of a client that is catching up are acknowledged, each after its own message', async (t) => {
  const server = await chat(t, { backend: memory({ historyEntries: 100_000, historyBytes: 64 * 1024 * 1024 }), limits: { pendingBytes: 128 * 1024 } })
  for (const erased of [false, true]) {
    const room = `room-${erased}`
    // A room that was cleared once has a new epoch.
    const first = await server.member({}, room)
    if (erased) {
      await server.app.chat.clear(room)
      await first.expect('joined')
    }
    await first.leave(room)
    const { position: place } = (await server.app.chat.history(room)).head
    await say(server, room, 1, 2_000, ' '.repeat(2_000))
    const behind = await server.member()
    behind.say({ type: 'join', room, after: place })
    const ids = Array.from({ length: 50 }, (_, i) => behind.post(room, `own ${i}`))
    await behind.expect('joined')
    const seen = new Set<string>()
    const early: string[] = []
    const acked: string[] = []
    while (acked.length < 50) {
      const message = await behind.next()
      if (message.type === 'message') seen.add(message.position)
      if (message.type !== 'ack') continue
      acked.push(message.id)
      if (!seen.has(message.position)) early.push(message.id)
    }
    t.strictSame([acked, early], [ids, []])
  }
})

for (const [title, backend] of Object.entries<() => Backend>({
  'a store that answers at once': () => memory(),
  'a store that answers late': () => backendWith((works) => {
    let calls = 0
    return {
      async read (room, query) {
        const page = await works.read(room, query)
        for (let i = calls++ % 7; i > 0; i--) await tick()
        return page
      },
      async append (room, draft) {
        const stored = await works.append(room, draft)
        for (let i = calls++ % 3; i > 0; i--) await tick()
        return stored
      }
    }
  })
})) {
  t.test(`clients that join during posts lose and duplicate no message: ${title}`, async (t) => {
    const server = await chat(t, { backend: backend() })
    const writers = await Promise.all([server.member({}, 'a'), server.member({}, 'a')])
    const place = (await server.app.chat.history('a')).head.position
    const over = { is: false }
    let posted = 0
    const raging = (async () => {
      for (; !over.is; posted++) {
        writers[posted % 2]!.post('a', `${posted}`)
        if (posted % 3 === 2) await tick()
      }
    })()
    const wrong: string[] = []
    const join = async (i: number) => {
      const client = await server.injected()
      await client.hello()
      const joined = await client.join('a', i % 3 === 0 ? { after: place } : i % 3 === 1 ? { history: 0 } : {})
      return async () => {
        const positions = joined.messages.map(({ position }) => position)
        for (;;) {
          const message = await client.expect('message')
          if (message.text === 'end') break
          positions.push(message.position)
        }
        const numbers = positions.map((position) => Number(position.split('-').at(-1)))
        const from = i % 3 === 0 ? 1 : numbers[0]!
        if (!joined.complete || numbers.some((n, i) => n !== from + i) || (numbers.length > 0 && numbers.at(-1) !== posted)) wrong.push(`${i}: ${numbers.slice(0, 5)} … ${numbers.at(-1)}`)
        client.socket.terminate()
      }
    }
    const joins: Array<ReturnType<typeof join>> = []
    while (joins.length < full(1_000, 100)) {
      for (let i = 0; i < 10; i++) joins.push(join(joins.length))
      await tick()
    }
    const finish = await Promise.all(joins)
    over.is = true
    await raging
    while (Number((await server.app.chat.history('a')).head.offset) < posted) await tick()
    await server.app.chat.publish('a', { text: 'end' })
    await Promise.all(finish.map((finish) => finish()))
    t.ok(posted > full(100, 20), `${posted} posts`)
    t.strictSame(wrong, [])
  })
}

t.test('members of a cleared room receive joined with complete: false, then later messages', async (t) => {
  const server = await chat(t)
  const [one, two] = [await server.member({}, 'a', 'b'), await server.member({}, 'a')]
  const old = await one.posted('a', 'old')
  await two.expect('message')
  await server.app.chat.clear('a')
  for (const client of [one, two]) {
    const { messages, complete, position, room } = await client.expect('joined')
    t.strictSame([messages, complete, room], [[], false, 'a'])
    t.not(position, old)
  }
  await one.posted('b', 'another room is as before')
  await one.posted('a', 'new')
  t.match(await two.next(), { text: 'new' })
  await two.leave('a')
  t.match(await two.join('a', { after: old }), { complete: false, messages: [{ text: 'new' }] })
})

t.test('a post stored just before its room is cleared is still acknowledged', async (t) => {
  let erase = false
  const server = await chat(t, {
    backend: backendWith((works) => ({
      async append (room, draft) {
        const stored = await works.append(room, draft)
        if (erase) await works.clear(room)
        erase = false
        return stored
      }
    }))
  })
  const client = await server.member({}, 'a')
  for (const text of ['1', '2', '3']) await client.posted('a', text)
  erase = true
  const id = client.post('a', 'lost')
  const received = await client.take(2)
  t.strictSame(new Set(received.map(({ type }) => type)), new Set(['ack', 'joined']))
  t.match(received.find(({ type }) => type === 'ack'), { id })
  await client.posted('a', 'after')
})

t.test('a room cleared again during its reset delivers exactly the entries of the last epoch', async (t) => {
  const [asking, first, second] = [gate(), gate(), gate()]
  let holding = false
  let asked = 0
  const server = await chat(t, {
    backend: backendWith((works) => ({
      async read (room, query) {
        const nth = holding ? asked++ : 2
        if (nth === 0) await asking.pass()
        const page = await works.read(room, query)
        if (nth < 2) await [first, second][nth]!.pass()
        return page
      }
    }))
  })
  const client = await server.member({}, 'a')
  for (let i = 0; i < 10; i++) await client.posted('a', `${i}`)
  holding = true
  await server.app.chat.clear('a')
  await asking.reached
  for (let i = 0; i < 5; i++) await server.app.chat.publish('a', { text: `between ${i}` })
  asking.open()
  await first.reached
  await server.app.chat.clear('a')
  await server.app.chat.publish('a', { text: 'kept' })
  await second.reached
  first.open()
  await tick()
  second.open()
  await tick()
  await server.app.chat.publish('a', { text: 'end' })
  let last: Message<'joined'> | undefined
  const received: unknown[] = []
  while (received.at(-1) !== 'end') {
    const message = await client.next()
    if (message.type === 'joined') {
      last = message
      received.splice(0, Infinity, ...texts(message.messages))
    } else received.push(...texts([message]))
  }
  t.equal(last?.complete, false)
  t.strictSame(received, ['kept', 'end'])
})

t.test('a gap reported by the store is sent to members as joined with complete: false', async (t) => {
  let deliver!: (page: FeedPage) => void
  const server = await chat(t, {
    backend: backendWith((works) => ({
      follow (room, given) {
        deliver = given
        return works.follow(room, (page) => { if (broken === false) given(page) })
      }
    }))
  })
  let broken = false
  const client = await server.member({}, 'a')
  await client.posted('a', '1')
  broken = true
  await say(server, 'a', 2, 60)
  broken = false
  const { head } = await server.app.chat.history('a')
  deliver({ entries: [], changes: [], complete: false, head })
  const joined = await client.expect('joined')
  t.strictSame([joined.complete, texts(joined.messages), joined.position], [false, upTo(60, 11), head.position])
  await say(server, 'a', 61, 61)
  t.match(await client.next(), { text: '61' })
})

t.test('an ack follows its own message in the same write, unless its sender has left', async (t) => {
  const held: Array<() => void> = []
  let holding = false
  const server = await chat(t, {
    backend: backendWith((works) => ({
      follow: (room, deliver) => works.follow(room, (page) => {
        if (!holding) deliver(page)
        else held.push(() => deliver(page))
      })
    }))
  })
  const connected = once(server.app.server, 'connection') as Promise<[Socket]>
  const client = await server.member({}, 'a')
  const [serverSide] = await connected
  holding = true
  const ids = [client.post('a', '1'), client.post('a', '2')]
  client.say({ type: 'ping', id: 'p' })
  t.strictSame(await client.next(), { type: 'pong', id: 'p' }, 'nothing before the store delivers')
  while (held.length === 0) await tick()
  const chunks: string[] = []
  client.socket.on('message', (data: Buffer) => chunks.push(data.toString()))
  const before = serverSide.bytesWritten
  for (const deliver of held.splice(0)) deliver()
  t.match(await client.take(4), [{ type: 'message', text: '1' }, { type: 'message', text: '2' }, { type: 'ack', id: ids[0] }, { type: 'ack', id: ids[1] }])
  t.ok(serverSide.bytesWritten > before)
  const id = client.post('a', '3')
  client.say({ type: 'ping', id: 'q' })
  t.match(await client.next(), { type: 'pong' })
  while (held.length === 0) await tick()
  client.say({ type: 'leave', room: 'a' })
  t.strictSame(new Map((await client.take(2)).map((message) => [message.type, 'id' in message ? message.id : ''])), new Map([['ack', id], ['left', '']]))
  for (const deliver of held) deliver()
})

t.test('a store rejection is answered with its error code and keeps the connection open', async (t) => {
  let failing: Partial<Record<'append' | 'read' | 'follow' | 'find', Error>> = {}
  const server = await chat(t, {
    backend: backendWith((works) => ({
      append: async (...args) => failing.append === undefined ? await works.append(...args) : await Promise.reject(failing.append),
      read: async (...args) => failing.read === undefined ? await works.read(...args) : await Promise.reject(failing.read),
      follow: async (...args) => failing.follow === undefined ? await works.follow(...args) : await Promise.reject(failing.follow),
      find: async (...args) => failing.find === undefined ? await works.find(...args) : await Promise.reject(failing.find)
    }))
  })
  const client = await server.member({}, 'a')
  const cases = { unavailable: [new errors.StoreUnavailable(), new errors.StoreBusy(), new errors.StoreClosed()], unknown: [new errors.StoreUnknown()] }
  for (const [code, rejections] of Object.entries(cases)) {
    for (const error of rejections) {
      failing = { append: error, read: error, find: error }
      t.match(await client.refused({ type: 'post', room: 'a', text: 'x', id: 'i' }), { code, id: 'i', room: 'a' })
      t.match(await client.refused({ type: 'post', room: 'a', text: 'x', id: 'i', since: 'x' }), { code, id: 'i', room: 'a' })
      t.match(await client.refused({ type: 'history', room: 'a', before: 'x', limit: 1 }), { code: 'unavailable', room: 'a' })
      const message = code === 'unknown' ? 'the store is not available' : error.message
      t.match(await client.refused({ type: 'join', room: 'b' }), { code: 'unavailable', room: 'b', message })
      failing = { follow: error }
      t.match(await client.refused({ type: 'join', room: 'c' }), { code: 'unavailable', room: 'c' })
      t.strictSame(server.app.chat.rooms(), ['a'], 'a failed join leaves no room behind')
    }
  }
  failing = {}
  for (const room of ['b', 'c']) await client.join(room)
  await client.posted('a', 'x', { id: 'i' })
})

t.test('a store that fails during a replay closes the connection with 1013', async (t) => {
  let failing = false
  const server = await chat(t, {
    backend: backendWith((works) => ({
      read: async (...args) => failing ? await Promise.reject(new errors.StoreUnavailable()) : await works.read(...args)
    }))
  })
  const { position: place } = (await server.app.chat.history('a')).head
  await say(server, 'a', 1, 900, ' '.repeat(1_000))
  const connected = once(server.app.server, 'connection') as Promise<[Socket]>
  const client = await server.tcp()
  const [serverSide] = await connected
  const write = serverSide.write
  serverSide.write = function (...args: unknown[]) {
    if (String(args[0]).includes('"joined"')) failing = true
    return (write as (...args: unknown[]) => boolean).apply(serverSide, args)
  } as typeof write
  await client.hello()
  client.say({ type: 'join', room: 'a', after: place })
  t.match(await client.expect('joined'), { complete: true })
  t.match(await client.closed, { code: 1013 })
  failing = false
  await logged(server.app, 'websocket closed')
  t.strictSame(server.app.chat.rooms(), [])
})

t.test('a catch-up resumes when few bytes are pending', async (t) => {
  const reads = gate()
  let holding = false
  const memory = new MemoryStore()
  const server = await chat(t, {
    backend: backendWith(() => ({
      append: (...args) => memory.append(...args),
      follow: (...args) => memory.follow(...args),
      get: (...args) => memory.get(...args),
      amend: (...args) => memory.amend(...args),
      findChange: (...args) => memory.findChange(...args),
      rooms: () => memory.rooms(),
      clear: (...args) => memory.clear(...args),
      async read (...args) {
        const page = await memory.read(...args)
        if (holding) await reads.pass()
        return page
      }
    }))
  })
  const other = await server.member({}, 'a', 'b')
  const client = await server.injected()
  await client.hello()
  await client.join('b')
  holding = true
  client.say({ type: 'join', room: 'a' })
  await reads.reached
  client.socket.pause()
  for (let i = 0; i < 20; i++) await server.app.chat.publish('b', { text: `${i}` })
  for (let i = 0; i < 3; i++) await tick()
  // The page read belongs to the old epoch, so the server reads again once the pending bytes have drained.
  await memory.clear('a')
  for (let i = 0; i < 3; i++) await tick()
  reads.open()
  for (let i = 0; i < 3; i++) await tick()
  client.socket.resume()
  t.strictSame(texts(await client.take(20)), upTo(19, 0))
  t.match(await client.next(), { type: 'joined', room: 'a' })
  t.ok(other)
})

t.test('a member that is suspended while the answer to its join drains receives later messages', async (t) => {
  const asked = gate()
  let asking = 0
  const server = await chat(t, {
    authorize: async ({ action }) => {
      if (action === 'join' && asking-- === 1) await asked.pass()
      return true
    }
  })
  const { client, wire: { socket } } = await wired(server.app, () => server.member())
  const unsent: Array<() => void> = []
  const { _write: write } = socket
  socket._write = (chunk, encoding, callback) => write.call(socket, chunk, encoding, (error) => { unsent.push(() => callback(error)) })
  client.say({ type: 'join', room: 'a' })
  const { members: [member] } = await client.expect('joined')
  t.ok(server.app.chat.stats().pendingBytes > 0)
  asking = 1
  await server.app.chat.reauthorize({ room: 'a' })
  await asked.reached
  socket._write = write
  for (const sent of unsent) sent()
  for (let i = 0; i < 3; i++) await tick()
  asked.open()
  await server.app.chat.publish('a', { text: 'later' })
  t.match(await client.next(), { type: 'message', room: 'a', text: 'later' })
  const id = client.post('a', 'own')
  t.match(await client.take(2), [{ type: 'message', text: 'own' }, { type: 'ack', id }])
  await server.app.chat.removeMember('a', member!.id)
  t.match(await client.expect('left'), { room: 'a', code: 'removed' })
})
