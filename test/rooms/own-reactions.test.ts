import t from 'tap'
import type { Test } from 'tap'
import type { FeedPage, Store } from '../../src/store.ts'
import { backendWith } from '../support/backend.ts'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { gate } from '../support/gate.ts'
import { tick } from '../support/tick.ts'
import type { Message, V1Client } from '../support/v1-client.ts'

const authenticate = (_: unknown, { token = 'plain' }: { readonly token?: string | undefined } = {}) => ({ id: token, name: '' })

/** Connects a member that understands changes and joins a room. */
async function named (server: ChatApp, token: string): Promise<V1Client> {
  const client = await server.injected()
  await client.hello({ token, changes: true })
  await client.join('a')
  return client
}

/** Returns a chat whose feed can be broken. `mend` delivers a message as a whole, in the place of its changes since. */
async function breakable (t: Test, calls: (works: Store) => Partial<Store> = () => ({})) {
  let deliver!: (page: FeedPage) => void
  let isBroken = false
  const backend = backendWith((works) => ({
    async follow (room, given) {
      deliver = given
      return await works.follow(room, (page) => { if (!isBroken) given(page) })
    },
    ...calls(works)
  }))
  const server = await chat(t, { authenticate, backend })
  const position = await server.app.chat.publish('a', { text: '1' })
  return {
    server,
    position,
    react: async (by: string, reaction = '👍', on = true) => { await server.app.chat.react('a', position, reaction, { by, on }) },
    cut () { isBroken = true },
    async mend () {
      await tick()
      isBroken = false
      const { head, entries: [entry] } = await server.app.chat.history('a')
      const { offset, at, from, revision, reactions } = entry!
      deliver({ entries: [], changes: [{ offset, position, at, change: head.change, entry: { offset, position, at, from, body: '1', revision, reactions } }], complete: true, head })
    }
  }
}

async function reactions (client: V1Client): Promise<unknown> { return (await client.expect('changed')).reactions }

t.test('after a whole entry, members are told their own reactions', async (t) => {
  const { server, react, cut, mend } = await breakable(t)
  const clients = [await named(server, 'ada'), await named(server, 'ada'), await named(server, 'bob')]
  const old = await server.member({ token: 'ada' }, 'a')
  await react('bob')
  for (const client of clients) await client.expect('changed')
  cut()
  await react('ada')
  await react('ada', '🎉')
  await react('bob', '👍', false)
  await mend()
  const counts = [{ reaction: '👍', count: 1 }, { reaction: '🎉', count: 1 }]
  for (const [i, client] of clients.entries()) {
    const whole = await client.expect('changed')
    t.strictSame([whole.whole, whole.reactions], [true, counts])
    const own = await client.expect('changed')
    t.strictSame([own.revision, 'text' in own, own.reactions], [whole.revision, false, counts.map((reaction) => ({ ...reaction, mine: i < 2 }))])
  }
  await server.app.chat.publish('a', { text: 'end' })
  t.match(await old.next(), { type: 'message', text: 'end' })
})

t.test('an entry that changes while it is read for a member is read again', async (t) => {
  const slow = gate()
  let reads = 0
  const { server, react, cut, mend } = await breakable(t, (works) => ({
    async get (...args) {
      const entry = await works.get(...args)
      if (reads++ === 0) await slow.pass()
      return entry
    }
  }))
  const ada = await named(server, 'ada')
  cut()
  await react('ada')
  await mend()
  await slow.reached
  t.strictSame(await reactions(ada), [{ reaction: '👍', count: 1 }])
  await react('bob')
  t.strictSame(await reactions(ada), [{ reaction: '👍', count: 2 }])
  slow.open()
  t.strictSame(await reactions(ada), [{ reaction: '👍', count: 2, mine: true }])
  t.equal(reads, 2)
})

t.test('in a large room, an entry is read for members that wait for their change', async (t) => {
  const readers: unknown[] = []
  const { server, position, react, cut, mend } = await breakable(t, (works) => ({
    get (room, position, options) { readers.push(options?.for); return works.get(room, position, options) }
  }))
  const clients: V1Client[] = []
  for (let i = 0; i < 102; i++) clients.push(await named(server, `${i >> 1}`))
  cut()
  await react('50')
  clients[14]!.say({ type: 'react', room: 'a', position, id: 'r', reaction: '👍', on: true })
  while ((await server.app.chat.history('a')).entries[0]!.reactions?.[0]!.count !== 2) await tick()
  await mend()
  const whole = [{ reaction: '👍', count: 2 }]
  for (const client of clients) t.strictSame(await reactions(client), whole)
  t.match(await clients[14]!.next(), { type: 'ack', id: 'r' })
  for (const i of [14, 15]) t.strictSame(await reactions(clients[i]!), [{ reaction: '👍', count: 2, mine: true }])
  t.strictSame(readers, ['7'])
})

t.test('a break and a failing store end the reads for a whole entry', async (t) => {
  const slow = gate()
  let isFailing = true
  const { server, react, cut, mend } = await breakable(t, (works) => ({
    async get (...args) {
      if (isFailing) throw new Error('failed')
      await slow.pass()
      return await works.get(...args)
    }
  }))
  const ada = await named(server, 'ada')
  const next: Array<Message['type']> = []
  cut()
  await react('ada')
  await mend()
  next.push((await ada.next()).type)
  await tick()
  isFailing = false
  cut()
  await react('bob')
  await mend()
  next.push((await ada.next()).type)
  await slow.reached
  await server.app.chat.clear('a')
  slow.open()
  next.push((await ada.next()).type)
  await server.app.chat.publish('a', { text: 'end' })
  next.push((await ada.next()).type)
  t.strictSame(next, ['changed', 'changed', 'joined', 'message'])
})
