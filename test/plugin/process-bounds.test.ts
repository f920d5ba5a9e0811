import { mock } from 'node:test'
import t from 'tap'
import { memory } from '../../src/drivers/memory/backend.ts'
import { build, listen, logged } from '../support/app.ts'
import { chat } from '../support/chat-app.ts'
import { gate } from '../support/gate.ts'
import { raw, upgraded, upgradeRequest } from '../support/raw-client.ts'
import { backendWith } from '../support/backend.ts'
import { tick } from '../support/tick.ts'
import { texts } from '../support/v1-client.ts'

const KiB = 1024
const MiB = 1024 * KiB

t.test('requests of pending upgrades are bounded in bytes, and released afterwards', async (t) => {
  const slow = gate()
  t.teardown(() => slow.open())
  const app = await build(t, {
    routeOptions: { onRequest: async ({ headers }) => { if ('slow' in headers) await slow.pass() } }
  }, { handshakes: 4 })
  const port = await listen(app)
  const large = Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`h${i}`, 'x']))
  const first = await raw(t, port)
  first.socket.write(upgradeRequest('/chat', { ...large, slow: '1' }))
  await slow.reached
  const second = await raw(t, port)
  second.socket.write(upgradeRequest('/chat', large))
  t.match((await second.until((received) => received.includes('\r\n\r\n'))).toString(), /^HTTP\/1\.1 503 /)
  slow.open()
  await first.until((received) => received.includes(' 101 '))
  for (let i = 0; i < 5; i++) await upgraded(t, port, '/chat', undefined, large)
})

t.test('acknowledgements that wait for their messages are bounded by totalPendingBytes', async (t) => {
  const limits = { chatPayload: KiB, pendingBytes: 64 * KiB, totalPendingBytes: 64 * KiB }
  const { app, member } = await chat(t, { echo: false, flushInterval: 10_000, limits })
  const client = await member()
  await client.join('lobby')
  for (let i = 0; i < 500; i++) client.post('lobby', 'x')
  const line = await logged(app, 'websocket closed')
  t.match(line, { code: 1013, reason: 'too many pending bytes in total' })
  t.match(app.chat.stats().disconnects, { total_pending_bytes: 1 })
})

t.test('messages that wait for flushInterval are bounded in total; beyond, they are sent at once', async (t) => {
  const { app, plain } = await chat(t, { flushInterval: 10_000, backend: memory({ historyBytes: 64 * MiB }), limits: { pendingBytes: 32 * MiB, totalPendingBytes: 64 * MiB } })
  const members = [await plain('?room=a'), await plain('?room=b')]
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const text = 'x'.repeat(16 * KiB)
  const published = []
  for (let i = 0; i < 520; i++) published.push(app.chat.publish(i % 2 === 0 ? 'a' : 'b', { text }))
  await Promise.all(published)
  t.equal(await Promise.race(members.map(({ next }) => next())), text)
})

t.test('messages delivered while members join are bounded in total, and none is lost', async (t) => {
  const rooms = Array.from({ length: 12 }, (_, i) => `room${i}`)
  const slow = gate()
  let reads = 0
  const backend = backendWith((works) => ({
    async read (...args) {
      reads++
      const page = await works.read(...args)
      if (reads <= rooms.length) await slow.pass()
      return page
    }
  }))
  const { app, member } = await chat(t, { backend })
  const clients = await Promise.all(rooms.map(() => member()))
  clients.forEach((client, i) => client.say({ type: 'join', room: rooms[i], history: 50 }))
  while (reads < rooms.length) await tick()
  for (let i = 0; i < 30; i++) {
    for (const room of rooms) await app.chat.publish(room, { text: `${i} `.padEnd(16 * KiB, 'x') })
    // The store delivers all messages of one tick together.
    await tick()
  }
  slow.open()
  for (const client of clients) {
    const { messages } = await client.expect('joined')
    const heard = texts(messages)
    while (!String(heard.at(-1)).startsWith('29 ')) heard.push(...texts([await client.next()]))
    t.strictSame(heard.map((text) => parseInt(String(text))), Array.from({ length: heard.length }, (_, i) => 30 - heard.length + i))
  }
  t.ok(reads > rooms.length, `${reads} reads: some rooms are read again`)
})
