import t from 'tap'
import { memory } from '../../src/drivers/memory/backend.ts'
import type { FeedPage } from '../../src/store.ts'
import { wholeFrames } from '../support/frames.ts'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { backendWith } from '../support/backend.ts'
import { full } from '../support/full.ts'
import { RoomView, stateOf } from '../support/room-view.ts'
import { wired } from '../support/server-side.ts'
import { tick } from '../support/tick.ts'
import type { Message, V1Client } from '../support/v1-client.ts'

const authenticate = (_: unknown, { token = 'plain' }: { readonly token?: string | undefined } = {}) => ({ id: token, name: '' })

/** Connects a member that understands changes and joins a room. */
async function named (server: ChatApp, token: string, room = 'a'): Promise<V1Client> {
  const client = await server.injected()
  await client.hello({ token, changes: true })
  await client.join(room)
  return client
}

async function published ({ app }: ChatApp, ...texts: string[]): Promise<string[]> {
  const positions: string[] = []
  for (const text of texts) positions.push(await app.chat.publish('a', { text, from: { id: 'ada', name: '' } }))
  return positions
}

t.test('the changes of a tick reach members as one changed for each message, in rising revision', async (t) => {
  const server = await chat(t, { authenticate })
  const positions = await published(server, '1', '2')
  const [one, two] = positions as [string, string]
  const ada = await named(server, 'ada')
  const { chat: app } = server.app
  await Promise.all([
    app.edit('a', one, { text: 'a' }), app.edit('a', two, { text: 'b', data: 1 }), app.react('a', one, '👍', { by: 'bob' }),
    app.react('a', one, '👍', { by: 'carl' }), app.react('a', one, '🎉', { by: 'carl' }), app.edit('a', one, { text: 'c', data: [2] })
  ])
  const { revision } = (await app.history('a')).head.change
  const [first, second] = await ada.take(2) as [Message<'changed'>, Message<'changed'>]
  t.match(first, { type: 'changed', room: 'a', position: two, text: 'b', data: 1 })
  t.notOk('reactions' in first || 'whole' in first)
  t.match(second, { position: one, revision, text: 'c', data: [2], reactions: [{ reaction: '👍', count: 2 }, { reaction: '🎉', count: 1 }] })
  t.ok(second.reactions!.every((reaction) => !('mine' in reaction)))
  await Promise.all([app.edit('a', one, { text: 'd' }), app.delete('a', one), app.react('a', two, '👍', { by: 'bob', on: false }), app.edit('a', two, { text: 'e' })])
  t.match(await ada.take(2), [{ position: one, deleted: true }, { position: two, text: 'e' }])
})

t.test('a change follows its message, whatever the sizes of both', async (t) => {
  const server = await chat(t, { authenticate, backend: memory({ historyBytes: 64 * 1024 * 1024 }) })
  const ada = await named(server, 'ada')
  const positions = await Promise.all(Array.from({ length: 12 }, (_, i) => server.app.chat.publish('a', { text: `${i}`.padEnd(100_000) })))
  await Promise.all(positions.flatMap((position, i) => [
    server.app.chat.edit('a', position, { text: `edit ${i}`.padEnd(i % 2 === 0 ? 100_000 : 0) }), server.app.chat.react('a', positions[0]!, `${i}`, { by: 'bob' })
  ]))
  const view = new RoomView()
  const seen = new Set<string>()
  const early: string[] = []
  const { head: { change } } = await server.app.chat.history('a')
  while (view.revision !== change.revision) {
    const message = await ada.next()
    view.receive(message)
    if (message.type === 'message') seen.add(message.position)
    if (message.type === 'changed' && !seen.has(message.position)) early.push(message.position)
  }
  t.strictSame(early, [])
  t.strictSame(view.state(false), stateOf(await server.app.chat.history('a')))
})

t.test("only the connections of a member are told which reactions are the member's own", async (t) => {
  const server = await chat(t, { authenticate })
  const [position] = await published(server, '1')
  const [one, two, other] = [await named(server, 'ada'), await named(server, 'ada'), await named(server, 'bob')]
  for (const on of [true, false]) {
    await Promise.all([server.app.chat.react('a', position!, '👍', { by: 'carl', on }), server.app.chat.react('a', position!, '👍', { by: 'ada', on })])
    const count = on ? 2 : 0
    for (const client of [one, two]) t.strictSame((await client.expect('changed')).reactions, [{ reaction: '👍', count, mine: on }])
    t.strictSame((await other.expect('changed')).reactions, [{ reaction: '👍', count }])
  }
})

t.test('a member that reacted is not sent the content of an edit twice', async (t) => {
  const server = await chat(t, { authenticate })
  const [one, two] = await published(server, '1', '2') as [string, string]
  const clients = [await named(server, 'ada'), await named(server, 'bob')]
  const { chat: app } = server.app
  await Promise.all([app.edit('a', one, { text: 'x' }), app.react('a', one, '👍', { by: 'ada' }), app.edit('a', two, { text: 'y' })])
  const shared = [{ position: one, text: 'x', reactions: [{ reaction: '👍', count: 1 }] }, { position: two, text: 'y' }]
  const own = { position: one, reactions: [{ reaction: '👍', count: 1, mine: true }] }
  const [ada, bob] = [await clients[0]!.take(3), await clients[1]!.take(2)] as [Array<Message<'changed'>>, Array<Message<'changed'>>]
  t.match(ada, [shared[0], own, shared[1]])
  t.strictSame(Object.keys(ada[1]!).sort(), ['position', 'reactions', 'revision', 'room', 'type'])
  t.match(bob, shared)
})

t.test('replies tell a member which reactions are its own, and which are not', async (t) => {
  const server = await chat(t, { authenticate })
  const [position] = await published(server, '1')
  for (const by of ['ada', 'bob']) await server.app.chat.react('a', position!, '👍', { by })
  for (const [token, mine] of [['ada', { mine: true }], ['carl', {}]] as const) {
    const client = await server.injected()
    await client.hello({ token, changes: true })
    const joined = await client.join('a')
    t.strictSame(joined.messages[0]!.reactions, [{ reaction: '👍', count: 2, ...mine }])
    const before = await server.app.chat.publish('a', { text: '2' })
    await client.expect('message')
    client.say({ type: 'history', room: 'a', before, limit: 10 })
    const page = await client.expect('history')
    t.strictSame(page.messages[0]!.reactions, [{ reaction: '👍', count: 2, ...mine }])
    t.equal(page.revision, joined.revision)
  }
})

t.test('a member that is sent the newest messages after a break is told its own reactions', async (t) => {
  let deliver!: (page: FeedPage) => void
  const backend = backendWith((works) => ({ follow (room, given) { deliver = given; return works.follow(room, given) } }))
  const server = await chat(t, { authenticate, backend })
  const [position] = await published(server, '1')
  const clients = [await named(server, 'ada'), await named(server, 'ada'), await named(server, 'bob')]
  const old = await server.member({ token: 'old' }, 'a')
  await server.app.chat.react('a', position!, '👍', { by: 'ada' })
  for (const client of clients) await client.expect('changed')
  deliver({ entries: [], changes: [], complete: false, head: (await server.app.chat.history('a')).head })
  for (const [i, client] of clients.entries()) {
    const { complete, messages } = await client.expect('joined')
    t.strictSame([complete, messages[0]!.reactions], [false, [{ reaction: '👍', count: 1, ...i < 2 && { mine: true } }]])
  }
  t.strictSame((await old.expect('joined')).messages[0]!.reactions, undefined)
  await server.app.chat.edit('a', position!, { text: '2' })
  for (const client of clients) t.match(await client.expect('changed'), { text: '2' })
})

t.test('after a break, the newest messages are read once for each member, for several at a time', async (t) => {
  let deliver!: (page: FeedPage) => void
  let [reads, pending, most] = [0, 0, 0]
  const backend = backendWith((works) => ({
    follow (room, given) { deliver = given; return works.follow(room, given) },
    async read (...args) {
      reads++
      most = Math.max(most, ++pending)
      await tick()
      pending--
      return await works.read(...args)
    }
  }))
  const server = await chat(t, { authenticate, backend })
  const [position] = await published(server, '1')
  const clients: V1Client[] = []
  for (let i = 0; i < 200; i++) clients.push(await named(server, `${i >> 1}`))
  await server.app.chat.react('a', position!, '👍', { by: '7' })
  for (const client of clients) await client.expect('changed')
  const { head } = await server.app.chat.history('a')
  reads = 0
  deliver({ entries: [], changes: [], complete: false, head })
  for (const [i, client] of clients.entries()) {
    t.strictSame((await client.expect('joined')).messages[0]!.reactions, [{ reaction: '👍', count: 1, ...i >> 1 === 7 && { mine: true } }])
  }
  t.equal(reads, 101)
  t.ok(most > 10 && most <= 32, `${most}`)
})

t.test('clients that did not announce changes receive messages only, as they are then', async (t) => {
  const server = await chat(t, { authenticate })
  const [position] = await published(server, '1')
  const [old, plain] = [await server.member({ token: 'old' }, 'a'), await server.plain('?room=a')]
  await server.app.chat.edit('a', position!, { text: 'edited', data: 1 })
  await server.app.chat.react('a', position!, '👍', { by: 'bob' })
  const next = await server.app.chat.publish('a', { text: '2' })
  t.match(await old.next(), { type: 'message', text: '2' })
  t.equal(await plain.next(), '2')
  const properties = ['at', 'data', 'from', 'position', 'room', 'text']
  const { messages, ...joined } = await (await server.member({ token: 'late' })).join('a')
  t.strictSame(messages.map((message) => [message.text, message.data, Object.keys(message).sort()]), [['edited', 1, properties], ['2', undefined, properties.filter((name) => name !== 'data')]])
  t.strictSame(Object.keys(joined).sort(), ['complete', 'count', 'members', 'position', 'room', 'type'])
  old.say({ type: 'history', room: 'a', before: next, limit: 5 })
  const page = await old.expect('history')
  t.strictSame([Object.keys(page.messages[0]!).sort(), 'revision' in page], [properties, false])
  await server.app.chat.delete('a', position!)
  old.say({ type: 'history', room: 'a', before: next, limit: 5 })
  t.match((await old.expect('history')).messages, [{ text: '' }])
  t.equal(await (await server.plain('?room=a&history=2')).next(), '')
  t.match(await (await server.member({ token: 'later' })).join('a', { after: position }), { messages: [{ text: '2' }] })
})

t.test('an ack follows its changed in the same write, and comes at once if nothing changed', async (t) => {
  const server = await chat(t, { authenticate })
  const { client, wire } = await wired(server.app, async () => {
    const client = await server.tcp()
    await client.hello({ token: 'ada', changes: true })
    await client.join('a')
    return client
  })
  const position = await client.posted('a', '1')
  wire.writes.length = 0
  client.say({ type: 'edit', room: 'a', position, id: 'e', text: '2' })
  client.say({ type: 'react', room: 'a', position, id: 'r', reaction: '👍', on: true })
  const received = await client.take(4)
  const frames = wire.writes.map((write) => wholeFrames(Buffer.concat(write)).map(({ payload }) => (JSON.parse(payload.toString()) as { type: string }).type))
  if (received[2]!.type === 'ack' && received[3]!.type === 'ack') {
    const [content, own] = received as Array<Message<'changed'>>
    t.strictSame([content!.text, content!.reactions, own!.text, own!.reactions], ['2', [{ reaction: '👍', count: 1 }], undefined, [{ reaction: '👍', count: 1, mine: true }]])
    t.match(received.slice(2), [{ id: 'e' }, { id: 'r', position, revision: /-c2$/ }])
    t.strictSame(frames, [['changed', 'changed', 'ack', 'ack']])
  } else {
    t.match(received, [{ type: 'changed' }, { id: 'e' }, { type: 'changed' }, { id: 'r' }], 'the requests arrived in two ticks')
  }
  for (const [id, request] of Object.entries({ same: { type: 'edit', text: '2' }, again: { type: 'react', reaction: '👍', on: true } })) {
    client.say({ ...request, room: 'a', position, id })
    t.match(await client.next(), { type: 'ack', id, position, revision: /-c2$/ })
  }
  client.say({ type: 'delete', room: 'a', position, id: 'd' })
  t.match(await client.take(2), [{ type: 'changed', deleted: true }, { type: 'ack', id: 'd', revision: /-c3$/ }])
  client.say({ type: 'delete', room: 'a', position, id: 'd2' })
  t.match(await client.next(), { type: 'ack', id: 'd2', revision: /-c3$/ })
})

t.test('an ack does not wait for a change that the store delivers as part of an entry', async (t) => {
  let deliver!: (page: FeedPage) => void
  let isBroken = false
  const backend = backendWith((works) => ({
    async follow (room, given) {
      deliver = given
      return await works.follow(room, (page) => { if (!isBroken) given(page) })
    }
  }))
  const server = await chat(t, { authenticate, backend })
  const [ada, old] = [await named(server, 'ada'), await server.member({ token: 'old' }, 'a')]
  isBroken = true
  const id = ada.post('a', '1')
  while ((await server.app.chat.history('a')).entries.length === 0) await tick()
  const { position } = (await server.app.chat.history('a')).head
  for (const [client, text] of [[ada, '2'], [old, '3']] as const) client.say({ type: 'edit', room: 'a', position, id: text, text })
  t.match(await old.next(), { type: 'error', code: 'forbidden' })
  while ((await server.app.chat.history('a')).entries[0]!.text !== '2') await tick()
  isBroken = false
  const { entries: [entry], head } = await server.app.chat.history('a')
  const { text, from, at, editedAt, revision } = entry!
  deliver({ entries: [{ offset: 1, position, at, from, body: text!, editedAt, revision }], changes: [], complete: true, head })
  t.match(await ada.take(3), [{ type: 'message', text: '2', revision }, { type: 'ack', id }, { type: 'ack', id: '2', revision }])
  t.strictSame(Object.keys(await old.expect('message')).includes('revision'), false)
})

t.test('a whole record of the feed replaces what members know of a message', async (t) => {
  let deliver!: (page: FeedPage) => void
  let isBroken = false
  const backend = backendWith((works) => ({
    async follow (room, given) {
      deliver = given
      return await works.follow(room, (page) => { if (!isBroken) given(page) })
    }
  }))
  const server = await chat(t, { authenticate, backend })
  const [position] = await published(server, '1')
  const ada = await named(server, 'ada')
  const view = new RoomView()
  await ada.leave('a')
  view.receive(await ada.join('a'))
  await server.app.chat.react('a', position!, '👍', { by: 'ada' })
  await server.app.chat.react('a', position!, '🎉', { by: 'bob' })
  while (!JSON.stringify(view.state()).includes('🎉')) view.receive(await ada.next())
  isBroken = true
  await server.app.chat.edit('a', position!, { text: '2', data: 3 })
  await server.app.chat.react('a', position!, '🎉', { by: 'bob', on: false })
  await server.app.chat.react('a', position!, '👍', { by: 'bob' })
  await tick()
  isBroken = false
  const { head, entries: [entry] } = await server.app.chat.history('a')
  const { offset, at, from, editedAt, revision, reactions } = entry!
  const whole = { offset, position: position!, at, from, body: '2', data: '3', editedAt, revision, reactions }
  deliver({ entries: [], changes: [{ offset, position: position!, at, change: head.change, entry: whole }], complete: true, head })
  const changed = await ada.expect('changed')
  t.match(changed, { text: '2', data: 3, whole: true, reactions: [{ reaction: '👍', count: 2 }] })
  view.receive(changed)
  t.strictSame(view.state(false), stateOf(await server.app.chat.history('a')))
  t.match(view.state(), [{ reactions: [['👍', 2, true]] }], 'what is unknown of the own reaction stays')
})

t.test('changes of a cleared room end with it, and its members can change later messages', async (t) => {
  const server = await chat(t, { authenticate })
  const ada = await named(server, 'ada')
  const old = await ada.posted('a', '1')
  ada.say({ type: 'edit', room: 'a', position: old, id: 'e', text: '2' })
  await ada.take(2)
  const before = (await server.app.chat.history('a')).head.change.revision
  await server.app.chat.clear('a')
  const { complete, messages, revision } = await ada.expect('joined')
  t.strictSame([complete, messages], [false, []])
  t.not(revision, before)
  t.match(await ada.refused({ type: 'edit', room: 'a', position: old, id: 'e2', text: '3' }), { code: 'not_kept' })
  const position = await ada.posted('a', 'new')
  ada.say({ type: 'edit', room: 'a', position, id: 'e3', text: '4' })
  t.match(await ada.take(2), [{ type: 'changed', position, text: '4', revision: /-c1$/ }, { type: 'ack', id: 'e3' }])
})

t.test('members that react to one message within a second cost one changed per tick', async (t) => {
  const members = full(1_000, 300)
  let pages = 0
  const backend = backendWith((works) => ({
    follow: (room, deliver) => works.follow(room, (page) => {
      if (page.changes.length > 0) pages++
      deliver(page)
    })
  }))
  const server = await chat(t, { authenticate, backend, limits: { pendingBytes: 256 * 1024 } })
  const writer = await named(server, 'writer')
  const id = writer.post('a', 'first')
  const [{ position }] = await writer.take(2) as [Message<'message'>]
  for (let i = 1; i < 1_000; i++) await server.app.chat.publish('a', { text: `${i}` })
  const clients: V1Client[] = []
  for (let i = 0; i < members; i++) clients.push(await named(server, `member ${i}`))
  for (const [i, client] of clients.entries()) {
    client.say({ type: 'react', room: 'a', position, id: 'r', reaction: '👍', on: true })
    if (i % 100 === 99) await tick()
  }
  const received = await Promise.all(clients.map(async (client) => {
    const changes: Array<Message<'changed'>> = []
    let acks = 0
    while (acks === 0 || changes.at(-1)?.reactions?.[0]?.count !== members) {
      const message = await client.next()
      if (message.type === 'ack') acks++
      if (message.type === 'changed') changes.push(message)
    }
    return changes
  }))
  t.ok(received.every((changes) => changes.length <= pages), 'a page of the feed, which has the changes of a tick, is at most one changed')
  t.ok(pages <= members / 10, `${pages} pages`)
  t.ok(received.every((changes) => changes.filter(({ reactions }) => reactions![0]!.mine === true).length === 1), 'each member is told its own once')
  t.equal(server.app.chat.stats().connections, members + 1, 'no connection was terminated')
  const { entries } = await server.app.chat.history('a', { limit: 1_000 })
  t.equal(entries.length, 1_000, 'no message left the full history')
  t.match(entries[0], { position, reactions: [{ reaction: '👍', count: members }] })
  writer.post('a', 'first', { id, since: position })
  for (;;) {
    const message = await writer.next()
    if (message.type !== 'ack') continue
    t.strictSame([message.id, message.position], [id, position], 'the id of the first post is remembered')
    break
  }
})
