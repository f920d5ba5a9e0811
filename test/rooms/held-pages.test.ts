import t, { type Test } from 'tap'
import { lmdb } from '../../src/drivers/lmdb/backend.ts'
import type { FastifyChatOptions, Store } from '../../src/index.ts'
import { HeldPages } from '../../src/rooms/replay/held-pages.ts'
import { chat } from '../support/chat-app.ts'
import { directory } from '../support/directory.ts'
import { full } from '../support/full.ts'
import { gate } from '../support/gate.ts'
import { memoryInUse } from '../support/memory.ts'
import { texts, type V1Client } from '../support/v1-client.ts'

/** Bytes for which all pages may be held, of a request without its page, and of a call of a hook. */
const [HELD, REQUEST, CALL] = [8 * 1024 * 1024, 8 * 1024, 6 * 1024]

const authenticate: FastifyChatOptions['authenticate'] = (_, { token }) => ({ id: token! })

/** Starts a chat whose hook can be held, with as many members, and a room with 64 KiB of messages. */
async function heldChat (t: Test, members: number, action: string) {
  const asked = { calls: 0 }
  let held: ReturnType<typeof gate> | undefined
  const opened: Store[] = []
  const works = lmdb({ path: directory(t) })
  const { app, injected } = await chat(t, {
    backend: {
      async open (app) {
        const backend = await works.open(app)
        opened.push(backend.store)
        return backend
      }
    },
    authenticate,
    async authorize (request) {
      if (request.action !== action || held === undefined) return true
      asked.calls++
      await held.pass()
      return true
    }
  })
  for (let i = 0; i < 64; i++) await app.chat.publish('a', { text: `${i}`.padEnd(1_000, 'x') })
  const clients: V1Client[] = []
  while (clients.length < members) {
    const client = await injected()
    await client.hello({ token: `m${clients.length}`, changes: true })
    clients.push(client)
  }
  return {
    app,
    store: opened[0]!,
    clients,
    /** Suspends the later calls of the hook. Returns a function that resumes them. */
    hold: () => {
      const current = held = gate()
      asked.calls = 0
      return () => {
        if (held === current) held = undefined
        current.open()
      }
    },
    /** Resolves when the hook was called `count` times since `hold`. */
    askedFor: async (count: number) => { while (asked.calls !== count) await new Promise((resolve) => setImmediate(resolve)) }
  }
}

t.test('joins that wait for the app keep at most 8 MiB of pages, and are all answered', async (t) => {
  const members = full(1_000, 300)
  const { app, clients, hold, askedFor } = await heldChat(t, members, 'join')
  await app.chat.members('a')
  const first = hold()
  const joins = clients.map(async (client) => await client.join('a', { history: 64 }))
  await askedFor(members)
  const before = await memoryInUse()
  await app.chat.reauthorize({ room: 'a' })
  const second = hold()
  first()
  await askedFor(members)
  // The pages are read by then: a later read comes after them.
  await app.chat.history('a')
  const grown = await memoryInUse() - before
  t.comment(`${Math.round(grown / 1024)} KiB`)
  t.equal(grown < HELD + members * (REQUEST + CALL), true, `${grown} bytes`)
  second()
  for (const joined of await Promise.all(joins)) if (joined.messages.length !== 64) t.fail(`${joined.messages.length} messages`)
  await app.chat.publish('a', { text: 'last' })
  for (const client of clients) if (texts([await client.expect('message')])[0] !== 'last') t.fail('not the last message')
})

t.test('requests for rooms that wait for the app keep at most 8 MiB of messages', async (t) => {
  const members = full(400, 250)
  const { store, clients, hold, askedFor } = await heldChat(t, members, 'history')
  const rooms = Array.from({ length: 8 }, (_, i) => `r${i}`)
  const read = await Promise.all(rooms.map(async (room) => {
    const appended = await store.append(room, { from: null, body: room.padEnd(8_000, 'x') })
    return { at: 0, ...appended, room }
  }))
  await Promise.all(clients.map(async (_, i) => await store.markRead(`m${i}`, read)))
  const release = hold()
  const before = await memoryInUse()
  for (const client of clients) client.say({ type: 'rooms', id: '1' })
  await askedFor(members * rooms.length)
  const grown = await memoryInUse() - before
  t.comment(`${Math.round(grown / 1024)} KiB`)
  t.equal(grown < HELD + members * (REQUEST + rooms.length * CALL), true, `${grown} bytes`)
  release()
  const answers = await Promise.all(clients.map(async (client) => await client.next()))
  const listed = answers.filter((answer) => answer.type === 'rooms')
  t.equal(listed.length > 50 && listed.every((answer) => answer.rooms.length === rooms.length), true, `${listed.length}`)
  for (const answer of answers) if (answer.type !== 'rooms') t.match(answer, { type: 'error', code: 'unavailable', id: '1' })
})

t.test('beyond the bound the largest page is dropped', async (t) => {
  const pages = new HeldPages()
  const entry = (size: number) => ({ offset: 1, position: 'p', at: 0, from: null, body: 'x'.repeat(size) })
  const held = [1_000, 3_000_000, 2_000_000, 500_000].map((size) => pages.hold(size, [entry(size)]))
  t.strictSame(held.map(({ take }) => take()), [1_000, undefined, 2_000_000, 500_000])
  t.strictSame(held.map(({ take }) => take()), [undefined, undefined, undefined, undefined])
  t.equal(pages.hold('all', [entry(4_000_000)]).take(), 'all', 'those that were taken are no longer charged')
})
