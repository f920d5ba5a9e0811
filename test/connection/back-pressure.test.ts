import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { memory } from '../../src/drivers/memory/backend.ts'
import { logged, type Line } from '../support/app.ts'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { collectGarbage } from '../support/memory.ts'
import { upgraded } from '../support/raw-client.ts'
import { wired } from '../support/server-side.ts'
import { tick } from '../support/tick.ts'
import { texts } from '../support/v1-client.ts'
import { take } from '../support/websocket-client.ts'

const KiB = 1024
const MiB = 1024 * KiB

const v1 = ({ app, member }: ChatApp, ...rooms: string[]) => wired(app, () => member({}, ...rooms))
const plain = ({ app, plain: join }: ChatApp, query = '') => wired(app, () => join(query))

/** Lets the system accept no bytes of a connection until it ends, as if its client had stopped reading. */
function stall (t: Test, socket: Socket): void {
  const never = (callback: (error: Error) => void) => { socket.once('close', () => callback(new Error('closed'))) }
  socket._write = (_chunk, _encoding, callback) => never(callback)
  socket._writev = (_chunks, callback) => never(callback)
  t.teardown(() => socket.destroy())
}

const number = (text: unknown) => parseInt(String(text))
const closings = ({ lines }: { lines: Line[] }, reason: string) => lines.filter((line) => line.msg === 'websocket closed' && line['reason'] === reason)

/** Resolves once `count` connections have closed for this reason. */
async function ended ({ app }: ChatApp, reason: string, count: number): Promise<void> {
  while (closings(app, reason).length < count) await tick()
}

t.test('slow readers, v1 or plain, are terminated and logged once each; others lose nothing', async (t) => {
  const room = await chat(t)
  const slow = [await v1(room, 'lobby'), await plain(room), await plain(room, '?self=0')]
  const [reader, listener] = [await room.member({}, 'lobby'), await room.plain()]
  for (const { client } of slow) client.socket.pause()

  const text = 'x'.repeat(16 * KiB)
  let said = 0
  while (slow.some(({ wire }) => !wire.socket.destroyed)) {
    for (let i = 0; i < 8; i++) await room.app.chat.publish('lobby', { text: `${said++} ${text}` })
    await tick()
  }
  t.strictSame((await reader.take(said)).map((message) => 'text' in message && number(message.text)), Array.from({ length: said }, (_, i) => i))
  t.strictSame((await take(listener, said)).map(number), Array.from({ length: said }, (_, i) => i))

  for (const { client } of slow) {
    client.socket.resume()
    t.match(await client.closed, { code: 1006 })
  }
  await ended(room, 'reads too slowly', 3)
  reader.post('lobby', 'and on')
  t.equal(await listener.next(), 'and on')
  t.match(closings(room.app, 'reads too slowly'), [{ level: 30, code: 1008 }, { level: 30, code: 1008 }, { level: 30, code: 1008 }])
  t.equal(closings(room.app, 'reads too slowly').length, 3)
})

t.test('a terminated client resumes and receives each missed message once', async (t) => {
  const room = await chat(t)
  const { client, wire } = await wired(room.app, room.tcp)
  const { session } = await client.hello()
  const { position } = await client.join('lobby')
  client.socket.pause()
  const text = 'x'.repeat(16 * KiB)
  const said = 200
  const before = Math.floor(said / 2)
  for (let i = 0; i < before; i++) {
    await room.app.chat.publish('lobby', { text: `${i}` })
    await tick()
  }
  while (!wire.writes.flat().some((bytes) => bytes.includes(`"text":"${before - 1}"`))) await tick()
  stall(t, wire.socket)
  for (let i = before; i < said; i++) {
    await room.app.chat.publish('lobby', { text: `${i} ${text}` })
    await tick()
  }
  t.ok(wire.socket.destroyed, 'terminated at once: a client that does not read would not answer a close frame')
  await logged(room.app, 'websocket closed')

  const received: number[] = []
  let last = position
  client.socket.resume()
  for (let over = false; !over;) {
    const message = await client.next().catch(() => undefined)
    if (message?.type === 'message') {
      received.push(number(message.text))
      last = message.position
    }
    over = message === undefined
  }
  t.ok(received.length >= before && received.length < said, `${received.length} messages received before`)

  const back = await room.member({ session })
  const { messages, complete } = await back.join('lobby', { after: last })
  t.ok(complete)
  const rest = await back.take(said - received.length - messages.length)
  t.strictSame([...received, ...texts(messages).map(number), ...texts(rest).map(number)], Array.from({ length: said }, (_, i) => i))
})

/** Returns the bytes outside of V8's heap after garbage collection. */
async function external (): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collectGarbage()
    await tick()
  }
  return process.memoryUsage().arrayBuffers
}

for (const compression of [false, true]) {
  t.test(`400 slow members share one copy of their pending messages${compression ? ', deflated or not' : ''}`, async (t) => {
    const room = await chat(t, { compression, chat: { greeting: false } })
    const size = 400
    const sockets: Socket[] = []
    room.app.server.on('connection', (socket: Socket) => sockets.push(socket))
    for (let i = 0; i < size; i += 4) {
      await Promise.all(['/chat', '/chat', '/chat?self=0', '/chat?self=0'].map((path, i) =>
        upgraded(t, room.port, path, undefined, i % 2 === 0 ? {} : { 'Sec-WebSocket-Extensions': 'permessage-deflate' })))
    }
    for (const socket of sockets) stall(t, socket)
    const before = await external()

    // Half of pendingBytes for each member, or its deflated size.
    const text = randomBytes(12 * KiB).toString('base64')
    for (let i = 0; i < 32; i++) {
      await room.app.chat.publish('lobby', { text: `${i} ${text}` })
      await tick()
    }
    while (sockets.some(({ writableLength }) => writableLength < 256 * KiB)) await tick()
    const held = await external() - before
    const waiting = sockets.reduce((sum, { writableLength }) => sum + writableLength, 0)
    t.ok(waiting > size * 256 * KiB, `${Math.round(waiting / MiB)} MiB are pending`)
    t.ok(held < 8 * MiB, `held in ${(held / MiB).toFixed(1)} MiB`)
    t.equal(room.app.chat.stats().connections, size)
  })
}

t.test('a burst of one tick is split into batches by bytes, and terminates no reader', async (t) => {
  const kinds = {
    text: (i: number) => ({ text: `${i} ${'x'.repeat(16 * KiB)}` }),
    'text of three bytes a character': (i: number) => ({ text: `${i} ${'€'.repeat(8 * KiB)}` }),
    data: (i: number) => ({ text: `${i}`, data: 'x'.repeat(16 * KiB) })
  }
  for (const [kind, say] of Object.entries(kinds)) {
    const room = await chat(t, { backend: memory({ historyBytes: 64 * MiB }), limits: { pendingBytes: 128 * KiB } })
    const members = await Promise.all(Array.from({ length: 4 }, () => v1(room, 'lobby')))
    for (const { wire } of members) wire.writes.length = 0
    for (let i = 0; i < 200; i++) void room.app.chat.publish('lobby', say(i))
    for (const { client } of members) {
      t.strictSame(texts(await client.take(200)).map(number), Array.from({ length: 200 }, (_, i) => i), kind)
    }
    for (const { wire } of members) {
      const largest = Math.max(...wire.writes.map((write) => write.reduce((sum, { length }) => sum + length, 0)))
      t.ok(largest < 300 * KiB && largest > 200 * KiB, `at most ${Math.round(largest / KiB)} KiB in one write`)
    }
    t.strictSame(closings(room.app, 'reads too slowly'), [])
  }
})

/** Makes the system accept writes only on the next tick, as it does with large ones. */
function delay (socket: Socket): void {
  let taking = false
  const later = (callback: () => void) => {
    if (taking) return callback()
    setImmediate(() => {
      taking = true
      callback()
      taking = false
    })
  }
  const { _write: write, _writev: writev } = socket
  socket._write = (chunk, encoding, callback) => write.call(socket, chunk, encoding, () => later(callback))
  socket._writev = (chunks, callback) => writev!.call(socket, chunks, () => later(callback))
}

t.test('pendingBytes counts bytes of earlier ticks, not those of several rooms in one tick', async (t) => {
  const rooms = ['a', 'b', 'c', 'd']
  const room = await chat(t, { limits: { pendingBytes: 300 * KiB } })
  const { client, wire } = await v1(room, ...rooms, 'quiet')
  delay(wire.socket)
  let most = 0
  for (const name of rooms) {
    const look = () => { most = Math.max(most, wire.socket.writableLength) }
    let received = 0
    await room.app.chat.subscribe(name, () => {
      look()
      setImmediate(() => {
        look()
        // A quiet room writes at once: before the bytes of the busy rooms can be sent.
        if (received++ === 0) void room.app.chat.publish('quiet', { text: name })
      })
    })
    for (let i = 0; i < 32; i++) void room.app.chat.publish(name, { text: `${i} ${'x'.repeat(16 * KiB)}` })
  }
  const received = await client.take(rooms.length * 32 + rooms.length)
  for (const name of rooms) {
    t.strictSame(texts(received.filter((message) => 'room' in message && message.room === name)).map(number), Array.from({ length: 32 }, (_, i) => i))
  }
  t.strictSame(texts(received.filter((message) => 'room' in message && message.room === 'quiet')).sort(), rooms)
  t.ok(most > 900 * KiB, `${Math.round(most / KiB)} KiB pending at once`)
  t.strictSame(closings(room.app, 'reads too slowly'), [])
})

t.test('unread replies are bounded by totalPendingBytes, and closed connections release theirs', async (t) => {
  const room = await chat(t, { limits: { totalPendingBytes: 2 * MiB, pendingBytes: Infinity } })
  const text = 'x'.repeat(16 * KiB)
  for (let i = 0; i < 40; i++) await room.app.chat.publish('lobby', { text: `${i} ${text}` })
  const listener = await room.plain()
  const greedy: Array<Awaited<ReturnType<typeof v1>> & { position: string }> = []
  for (let i = 0; i < 20; i++) {
    const one = await v1(room)
    const { position } = await one.client.join('lobby', { history: 1 })
    stall(t, one.wire.socket)
    greedy.push({ ...one, position })
  }

  // Each page is 64 KiB; 100 pages are three times the budget.
  for (let i = 0; i < 5; i++) {
    for (const { client, position } of greedy) client.say({ type: 'history', room: 'lobby', before: position, limit: 100 })
  }
  await ended(room, 'too many pending bytes in total', 1)
  const held = () => greedy.reduce((sum, { wire: { socket } }) => sum + (socket.destroyed ? 0 : socket.writableLength), 0)
  t.ok(held() <= 2 * MiB, `${Math.round(held() / KiB)} KiB are pending`)
  await room.app.chat.publish('lobby', { text: 'nobody else waits' })
  t.equal(await listener.next(), 'nobody else waits')

  for (const { wire } of greedy) wire.socket.destroy()
  while (room.app.chat.stats().connections > 1) await tick()
  const later = await room.member()
  let given = 0
  for (let i = 0; i < 40; i++) {
    const { messages, position } = await later.join('lobby', { history: 4 })
    if (messages.length !== 4) t.equal(messages.length, 4)
    later.say({ type: 'history', room: 'lobby', before: position, limit: 100 })
    given += (await later.expect('history')).messages.length
    await later.leave('lobby')
  }
  t.ok(given >= 40 * 3, `${given} messages of history`)
})

t.test('beyond totalPendingBytes the client with most of them is terminated and releases them', async (t) => {
  const budget = MiB
  const page = 64 * KiB
  const room = await chat(t, { limits: { totalPendingBytes: budget, pendingBytes: Infinity } })
  for (let i = 0; i < 8; i++) await room.app.chat.publish('lobby', { text: `${i} ${'x'.repeat(16 * KiB)}` })
  const stalled = async () => {
    const { client, wire: { socket } } = await v1(room)
    const { position } = await client.join('lobby', { history: 1 })
    stall(t, socket)
    return {
      socket,
      /** Requests history until `bytes` bytes are pending, at most a page more. */
      async owe (bytes: number) {
        while (socket.writableLength < bytes && !socket.destroyed) {
          const before = socket.writableLength
          client.say({ type: 'history', room: 'lobby', before: position, limit: 100 })
          while (socket.writableLength === before && !socket.destroyed) await tick()
        }
      }
    }
  }
  const [greedy, modest, frugal] = [await stalled(), await stalled(), await stalled()]
  await frugal.owe(page)
  await greedy.owe(budget * 0.5)
  await modest.owe(budget * 0.3)
  t.notOk(greedy.socket.destroyed)
  await modest.owe(budget * 0.48)
  t.ok(greedy.socket.destroyed)
  await ended(room, 'too many pending bytes in total', 1)
  t.match(closings(room.app, 'too many pending bytes in total'), [{ code: 1013 }])

  // The rest of the budget.
  const left = budget - frugal.socket.writableLength
  await modest.owe(left - 2 * page)
  t.notOk(modest.socket.destroyed)
  await modest.owe(left + page)
  t.ok(modest.socket.destroyed)
  t.notOk(frugal.socket.destroyed)
  await frugal.owe(budget - 2 * page)
  t.notOk(frugal.socket.destroyed, 'it may use the whole budget now')
})

t.test('unread messages of all rooms are bounded together, and shared bytes count once', async (t) => {
  const budget = 2 * MiB
  const room = await chat(t, { limits: { totalPendingBytes: budget, pendingBytes: budget } })
  const listener = await room.plain()
  const stalled = async (query: string) => {
    const { wire: { socket } } = await plain(room, query)
    stall(t, socket)
    return socket
  }
  for (let i = 0; i < 20; i++) await stalled('?room=crowd')
  const text = 'x'.repeat(16 * KiB)
  for (let i = 0; i < 50; i++) {
    await room.app.chat.publish('crowd', { text })
    await tick()
  }
  t.strictSame(closings(room.app, 'too many pending bytes in total'), [], '20 x 800 KiB are pending, in shared buffers')

  const slow: Socket[] = []
  for (let i = 0; i < 10; i++) slow.push(await stalled(`?room=slow-${i}`))
  for (let i = 0; i < 20; i++) {
    for (let j = 0; j < 10; j++) await room.app.chat.publish(`slow-${j}`, { text })
    await tick()
  }
  await ended(room, 'too many pending bytes in total', 1)
  const lives = slow.filter(({ destroyed }) => !destroyed)
  const held = lives.reduce((sum, { writableLength }) => sum + writableLength, 0)
  t.ok(held <= budget, `${Math.round(held / KiB)} KiB are pending in ${lives.length} rooms`)
  await room.app.chat.publish('lobby', { text: 'nobody else waits' })
  t.equal(await listener.next(), 'nobody else waits')
})

t.test('pending bytes of a closed connection are released, even if the system accepted none', async (t) => {
  const room = await chat(t, { limits: { totalPendingBytes: 2 * MiB, pendingBytes: Infinity } })
  const text = 'x'.repeat(16 * KiB)
  for (let i = 0; i < 4; i++) await room.app.chat.publish('lobby', { text: `${i} ${text}` })
  for (let i = 0; i < 4; i++) {
    const { client, wire } = await v1(room)
    const { position } = await client.join('lobby', { history: 0 })
    client.socket.pause()
    // Writes until the system accepts no more, and then a bit more.
    while (wire.socket.writableLength < 1.2 * MiB) {
      client.say({ type: 'history', room: 'lobby', before: position, limit: 100 })
      await tick()
    }
    const closed = new Promise<void>((resolve) => { wire.socket.once('close', () => resolve()) })
    client.socket.terminate()
    await closed
  }
  t.strictSame(closings(room.app, 'too many pending bytes in total'), [])
})
