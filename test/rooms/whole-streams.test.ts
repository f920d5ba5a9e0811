import { once } from 'node:events'
import t from 'tap'
import type { Test } from 'tap'
import { memory } from '../../src/drivers/memory/backend.ts'
import { backendWith } from '../support/backend.ts'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { gate } from '../support/gate.ts'
import { served, type ServedStore } from '../support/served-store.ts'
import { tick } from '../support/tick.ts'
import { texts, type Message, type V1Client } from '../support/v1-client.ts'
import { composePosition, parseComposed } from '../../src/rooms/batch/composed-position.ts'
import type { Page, Position, Store } from '../../src/store.ts'

const bot = { id: 'bot', name: 'Bot' }

const begun = async ({ store }: ServedStore, body = ''): Promise<Position> => (await store.append('a', { from: bot, body, streaming: true })).position
const published = async ({ store }: ServedStore, body: string): Promise<Position> => (await store.append('a', { from: bot, body })).position

/** Appends a text to an empty stream, and ends it. */
async function ended ({ store }: ServedStore, position: Position, text: string): Promise<void> {
  await store.amend('a', position, { by: null, change: { append: text, at: 0 } })
  await store.amend('a', position, { by: null, change: { end: true } })
}

async function old (server: ChatApp, join: object = {}): Promise<{ client: V1Client, joined: Message<'joined'> }> {
  const client = await server.injected()
  await client.hello()
  return { client, joined: await client.join('a', join) }
}

/** Resolves with the texts that a client receives when it resumes, up to a message that is published afterwards. */
async function resumed (server: ServedStore, after: Position): Promise<unknown[]> {
  const { client, joined } = await old(server, { after })
  await published(server, 'last')
  const rest = texts(await client.upTo('last'))
  await client.end()
  return [joined.complete, ...texts(joined.messages), ...rest]
}

t.test('clients without changes receive a streamed text once, when it has ended', async (t) => {
  const server = await served(t)
  const { client } = await old(server)
  const plain = await server.plain('?room=a')
  const stream = await begun(server)
  await published(server, 'one')
  const late = await old(server)
  t.strictSame(texts(late.joined.messages), ['one'])
  const latePlain = await server.plain('?room=a&history=5')
  await ended(server, stream, 'answer')
  t.match(await client.take(2), [{ type: 'message', text: 'one' }, { type: 'message', text: 'answer', from: bot, revision: undefined, streaming: undefined }])
  t.match(await late.client.next(), { type: 'message', text: 'answer' })
  await published(server, 'two')
  for (const each of [client, late.client]) t.match(await each.next(), { text: 'two' })
  for (const each of [plain, latePlain]) t.strictSame([await each.next(), await each.next(), await each.next()], ['Bot: one', 'Bot: answer', 'Bot: two'])
})

t.test('a text that ends in the tick in which it began is one message', async (t) => {
  const server = await served(t)
  const { client } = await old(server)
  const stream = await begun(server, 'x')
  await server.store.amend('a', stream, { by: null, change: { end: true, unfinished: true } })
  const message = await client.expect('message')
  t.match(message, { text: 'x', position: stream })
  t.notOk('unfinished' in message)
})

t.test('a deleted stream is never sent', async (t) => {
  const server = await served(t)
  const { client } = await old(server)
  const [one, two] = [await begun(server), await begun(server)]
  await published(server, 'between')
  const { position } = (await client.take(1))[0] as Message<'message'>
  await server.app.chat.delete('a', one)
  await Promise.all([server.store.amend('a', two, { by: null, change: { end: true } }), server.app.chat.delete('a', two)])
  const last = await published(server, 'last')
  t.match(await client.next(), { text: 'last', position: last })
  t.strictSame(await resumed(server, position), [true, 'last'])
})

t.test('a client that is cut off after any message resumes without loss or duplicates', async (t) => {
  const server = await served(t)
  const { client, joined } = await old(server)
  const positions: Position[] = [joined.position]
  const received: string[] = []
  const receive = async (...expected: string[]): Promise<void> => {
    for (const message of await client.take(expected.length) as Array<Message<'message'>>) {
      received.push(message.text!)
      positions.push(message.position)
    }
    t.strictSame(received.slice(-expected.length), expected)
  }
  const streams: Position[] = []
  /** Resumes from each position so far. */
  const check = async (): Promise<void> => {
    for (const [count, position] of positions.entries()) {
      const { client: other, joined: { complete, messages, position: reached } } = await old(server, { after: position })
      other.say({ type: 'ping', id: 'end' })
      const more = texts((await until(other)))
      t.strictSame([complete, [...texts(messages), ...more].sort()], [true, received.slice(count).sort()], `from ${position}`)
      await other.end()
      const again = await old(server, { after: more.length === 0 ? reached : 'x' })
      if (more.length === 0) t.strictSame([again.joined.complete, again.joined.messages], [true, []], 'and resumes again')
      await again.client.end()
    }
  }
  await published(server, '1')
  streams.push(await begun(server))
  await published(server, '2')
  await receive('1', '2')
  await check()
  streams.push(await begun(server))
  await published(server, '3')
  await receive('3')
  await check()
  await ended(server, streams[0]!, 's0')
  await receive('s0')
  await check()
  await published(server, '4')
  streams.push(await begun(server))
  await receive('4')
  await ended(server, streams[2]!, 's2')
  await receive('s2')
  await check()
  await published(server, '5')
  await receive('5')
  await ended(server, streams[1]!, 's1')
  await receive('s1')
  await check()
  await published(server, '6')
  await receive('6')
  await check()
  t.notOk(positions.at(-1)!.includes('-.'))
})

/** Resolves with the messages before the answer to a ping. */
async function until (client: V1Client): Promise<Message[]> {
  for (const messages: Message[] = []; ;) {
    const message = await client.next()
    if (message.type === 'pong') return messages
    messages.push(message)
  }
}

t.test('a resume knows a stream that ends while it reads', async (t) => {
  let act: (() => Promise<void>) | undefined
  const now = async (): Promise<void> => {
    const before = act
    act = undefined
    await before?.()
  }
  const server = await served(t, (works) => ({
    get: async (...args) => { const entry = await works.get(...args); if (acts === 'get') await now(); return entry },
    read: async (...args): Promise<Page> => {
      if (acts === 'before') await now()
      const page = await works.read(...args)
      if (acts === 'read') await now()
      return page
    }
  }))
  let acts = ''
  const { client } = await old(server)
  for (acts of ['get', 'before', 'read']) {
    const stream = await begun(server)
    await published(server, 'one')
    const { position } = await client.expect('message')
    t.strictSame(parseComposed(position).outstanding, [stream])
    act = async () => { await ended(server, stream, 'answer') }
    t.strictSame(await resumed(server, position), [true, 'answer'], acts)
    await client.take(2)
  }
})

t.test('a resume is not complete if an outstanding stream is no longer known', async (t) => {
  const server = await served(t)
  const { client } = await old(server)
  for (let i = 0; i < 9; i++) await begun(server, `${i}`)
  await published(server, 'x')
  const { position } = await client.expect('message')
  t.match(position, /-\.x$/)
  t.match((await old(server, { after: position })).joined, { complete: false, messages: [{ text: 'x' }] })
  const base = position.slice(0, -3)
  t.match((await old(server, { after: composePosition(base, undefined, ['e-1-1']) })).joined, { complete: false })
  t.match((await old(server, { after: composePosition(base, base, ['e-1-1', 'e-1-2']) })).joined, { complete: false })
})

t.test('a forged position sends nothing that a plain one would not', async (t) => {
  const server = await served(t)
  const [one, two, three] = [await published(server, 'one'), await published(server, 'two'), await published(server, 'three')]
  await server.store.append('b', { from: bot, body: 'secret' })
  const { position: other } = await server.store.append('b', { from: bot, body: 'secret' })
  t.match((await old(server, { after: composePosition(one, undefined, [three]) })).joined, { complete: true, messages: [{ text: 'two' }, { text: 'three' }] })
  t.match((await old(server, { after: composePosition(two, undefined, [other]) })).joined, { complete: false })
  t.match((await old(server, { after: composePosition(other, undefined, [two]) })).joined, { complete: false })
  t.strictSame(await resumed(server, composePosition(two, undefined, [one, three])), [true, 'three'])
})

t.test('history pages skip streams, also a page of nothing else', async (t) => {
  const server = await served(t)
  const first = await published(server, 'first')
  for (let i = 0; i < 5; i++) await begun(server)
  await published(server, 'last')
  const { client, joined } = await old(server, { history: 1 })
  const [{ position: before }] = joined.messages as [Message<'message'>]
  client.say({ type: 'history', room: 'a', before, limit: 1 })
  t.match(await client.next(), { type: 'history', messages: [{ text: 'first' }], more: false, complete: true })
  client.say({ type: 'history', room: 'a', before: first, limit: 1 })
  t.match(await client.next(), { type: 'history', messages: [], more: false, complete: true })
  client.say({ type: 'history', room: 'a', before: joined.position, limit: 1 })
  t.match(await client.next(), { type: 'history', before: joined.position, messages: [{ text: 'first' }], complete: true })
})

t.test('history pages after a position skip streams, also a page of nothing else', async (t) => {
  const server = await served(t)
  const after = await published(server, 'first')
  for (let i = 0; i < 5; i++) await begun(server)
  const [two, three] = [await published(server, 'two'), await published(server, 'three')]
  await begun(server)
  const { client, joined } = await old(server, { history: 1 })
  const page = async (after: Position, limit: number) => {
    client.say({ type: 'history', room: 'a', after, limit })
    const { messages, more, complete } = await client.expect('history')
    return [complete, ...texts(messages), more]
  }
  t.strictSame(await page(after, 1), [true, 'two', true])
  t.strictSame(await page(after, 7), [true, 'two', 'three', true], 'the last entry is streaming')
  t.strictSame(await page(after, 8), [true, 'two', 'three', false])
  t.strictSame(await page(two, 1), [true, 'three', true])
  t.strictSame(await page(three, 1), [true, false])
  t.not(parseComposed(joined.position).outstanding.length, 0)
  t.strictSame(await page(joined.position, 10), [true, false])
  t.strictSame(await page(composePosition(three, after), 10), [true, 'two', 'three', false], 'after a late message')
})

t.test('the ack of a post has the position of its message, and both name it in requests', async (t) => {
  const server = await served(t)
  const { client } = await old(server)
  const stream = await begun(server)
  client.post('a', 'mine', { id: 'one' })
  const [message, ack] = await client.take(2) as [Message<'message'>, Message<'ack'>]
  t.strictSame(parseComposed(message.position).outstanding, [stream])
  t.equal(ack.position, message.position)
  client.post('a', 'mine', { id: 'one', since: message.position })
  t.match(await client.next(), { type: 'ack', position: message.position })
  client.say({ type: 'react', room: 'a', position: message.position, id: 'two', reaction: '👍', on: true })
  t.match(await client.next(), { type: 'ack', position: message.position, revision: String })
  await ended(server, stream, 'answer')
  const late = await client.expect('message')
  client.say({ type: 'react', room: 'a', position: late.position, id: 'three', reaction: '👍', on: true })
  await client.expect('ack')
  t.match((await server.app.chat.history('a')).entries, [{ text: 'answer', reactions: [{ count: 1 }] }, { text: 'mine', reactions: [{ count: 1 }] }])
})

t.test('the app names a message by the position that a client has received', async (t) => {
  const server = await served(t)
  const { chat: app } = server.app
  const { client } = await old(server)
  const stream = await begun(server)
  await published(server, 'x')
  const { position } = await client.expect('message')
  t.not(position, parseComposed(position).base)
  await app.edit('a', position, { text: 'y' })
  await app.react('a', position, '👍', { by: 'bot' })
  t.match(await app.history('a', { before: position }), { complete: true, entries: [{ position: stream }] })
  await app.delete('a', position)
  t.match((await app.history('a', { limit: 1 })).entries, [{ deleted: true }])
})

t.test('a client that resumes on another node in the middle of a stream receives it at its end', async (t) => {
  const server = await served(t)
  const { client } = await old(server)
  const stream = await begun(server)
  await published(server, 'x')
  const { position } = await client.expect('message')
  await client.end()
  let other!: Store
  const node = await chat(t, { backend: backendWith(() => { other = server.store; return { ...other, append: async (...args) => await other.append(...args), read: async (...args) => await other.read(...args), follow: async (...args) => await other.follow(...args), get: async (...args) => await other.get(...args), amend: async (...args) => await other.amend(...args) } }) })
  const { client: resumes, joined } = await old(node, { after: position })
  t.match(joined, { complete: true, messages: [], position })
  await published(server, 'y')
  t.strictSame(parseComposed((await resumes.expect('message')).position).outstanding, [stream])
  await ended(server, stream, 'answer')
  t.match(await resumes.next(), { text: 'answer' })
})

t.test('positions of clients with changes are those of the store', async (t) => {
  const server = await served(t)
  const client = await server.injected()
  await client.hello({ changes: true })
  await client.join('a')
  await begun(server)
  const position = await published(server, 'x')
  await client.expect('message')
  t.equal((await client.expect('message')).position, position)
  t.match((await client.leave('a')), {})
  t.equal((await client.join('a')).position, position)
})

t.test('a break that hides the end of a stream sends it whole', async (t) => {
  let deliver!: Parameters<Store['follow']>[1]
  const server = await served(t, (works) => ({ follow: async (room, to) => { deliver = to; return await works.follow(room, to) } }))
  const { client } = await old(server)
  const position = await begun(server)
  const other = await published(server, 'x')
  await client.expect('message')
  const whole = (offset: number, number: number, position: Position, body: string) => {
    const [change, entry] = [{ number, revision: `r${number}` }, { offset, position, at: 0, from: bot, body, revision: `r${number}` }]
    return { offset, position, at: 0, change, entry }
  }
  deliver({ entries: [], changes: [whole(2, 1, other, 'edited'), whole(1, 2, position, 'answer')], complete: true, head: { offset: 2, position: other, change: { number: 2, revision: 'r2' } } })
  t.match(await client.next(), { type: 'message', text: 'answer', position: composePosition(other, position) })
  deliver({ entries: [], changes: [whole(1, 3, position, 'again')], complete: true, head: { offset: 2, position: other, change: { number: 3, revision: 'r3' } } })
  await published(server, 'y')
  t.match(await client.next(), { text: 'y' })
})

t.test('a stream that is trimmed before it ends costs one client its resume, and none afterwards', async (t) => {
  const server = await chat(t, { backend: memory({ historyEntries: 5 }) })
  const { chat: app } = server.app
  const { client } = await old(server)
  const stream = app.createWriteStream('a').on('error', () => {})
  await once(stream, 'ready')
  for (let i = 0; i < 6; i++) await app.publish('a', { text: `${i}` })
  stream.destroy()
  await client.take(6)
  const resumes: boolean[] = []
  for (let i = 0; i < 3; i++) {
    const { client: fresh, joined: { position } } = await old(server)
    await fresh.end()
    resumes.push((await old(server, { after: position })).joined.complete)
  }
  t.strictSame(resumes.slice(1), [true, true])
  await app.publish('a', { text: 'last' })
  t.notOk((await client.expect('message')).position.includes('-.'))
})

t.test('a repeat of a post names it as the client has received it before it resumed', async (t) => {
  const server = await served(t)
  const client = await server.injected()
  const { session } = await client.hello()
  const { position: since } = await client.join('a')
  const stream = await begun(server)
  client.post('a', 'mine', { id: 'one' })
  const { position: after } = await client.expect('message')
  await client.end()
  const again = await server.injected()
  await again.hello({ session })
  t.match(await again.join('a', { after }), { complete: true, messages: [] })
  again.post('a', 'mine', { id: 'one', since })
  t.match(await again.next(), { type: 'ack', position: after })
  await ended(server, stream, 'answer')
  const { position: late } = await again.expect('message')
  await again.leave('a')
  t.match(await again.join('a', { after: late }), { complete: true, messages: [] })
  again.post('a', 'mine', { id: 'one', since })
  t.match(await again.next(), { type: 'ack', position: after.split('-.')[0] }, 'the newest message was another one')
})

t.test('after the room was cleared, an ack has the position of its own message', async (t) => {
  const server = await served(t)
  const { client } = await old(server)
  await begun(server)
  const before = await client.posted('a', 'before')
  await server.app.chat.clear('a')
  await client.expect('joined')
  await published(server, 'one')
  const { position } = await client.expect('message')
  client.post('a', 'after', { id: 'one' })
  const [message, ack] = await client.take(2) as [Message<'message'>, Message<'ack'>]
  t.equal(ack.position, message.position)
  t.not(position, before)
})

t.test('a resume is complete after five streams at a time', async (t) => {
  const server = await served(t)
  const { client } = await old(server)
  const names = ['one', 'two', 'three', 'four', 'five']
  const streams: Position[] = []
  for (let i = 0; i < names.length; i++) streams.push(await begun(server))
  await published(server, 'x')
  const { position } = await client.expect('message')
  await ended(server, streams[0]!, 'one')
  const { position: late } = await client.expect('message')
  for (let i = 1; i < names.length; i++) await ended(server, streams[i]!, names[i]!)
  t.strictSame(await resumed(server, position), [true, ...names])
  t.strictSame(await resumed(server, late), [true, 'last', ...names.slice(1)])
})

t.test('a client that has paged over a stream receives its text after a resume', async (t) => {
  const server = await served(t)
  const stream = await begun(server)
  for (let i = 0; i < 5; i++) await published(server, `${i}`)
  const { client, joined: { messages: [message] } } = await old(server, { history: 1 })
  client.say({ type: 'history', room: 'a', before: message!.position, limit: 10 })
  t.strictSame(texts((await client.expect('history')).messages), ['0', '1', '2', '3'])
  await published(server, 'x')
  const { position } = await client.expect('message')
  await client.end()
  await ended(server, stream, 'answer')
  t.strictSame(await resumed(server, position), [true, 'answer'])
})

t.test('a stream of which a room has only received appends is sent after a resume', async (t) => {
  const server = await served(t)
  const stream = await begun(server)
  for (let i = 0; i < 5; i++) await published(server, `${i}`)
  const { client } = await old(server, { history: 1 })
  await server.store.amend('a', stream, { by: null, change: { append: 'ans', at: 0 } })
  await published(server, 'x')
  await client.expect('message')
  await published(server, 'y')
  const { position } = await client.expect('message')
  await client.end()
  await server.store.amend('a', stream, { by: null, change: { append: 'wer', at: 3 } })
  await server.store.amend('a', stream, { by: null, change: { end: true } })
  t.strictSame(await resumed(server, position), [true, 'answer'])
})

t.test('a page that is older than the end of its stream leaves nothing outstanding', async (t) => {
  const reading = gate()
  let holds = false
  const server = await served(t, (works) => ({
    read: async (...args): Promise<Page> => {
      const page = await works.read(...args)
      if (holds) await reading.pass()
      return page
    }
  }))
  const stream = await begun(server)
  await published(server, 'x')
  const { client, joined: { messages: [message] } } = await old(server, { history: 1 })
  holds = true
  client.say({ type: 'history', room: 'a', before: message!.position, limit: 10 })
  await reading.reached
  await ended(server, stream, 'answer')
  t.match(await client.next(), { text: 'answer' })
  holds = false
  reading.open()
  t.match(await client.next(), { type: 'history', messages: [] })
  const position = await published(server, 'y')
  t.equal((await client.expect('message')).position, position)
})

const large = 'x'.repeat(40 * 1024)

/** Starts a chat. `gets` has the number of the entries that it has read alone. `act` is called once after the first page of a resume. */
async function counted (t: Test) {
  const counts = { gets: 0, act: async (): Promise<void> => {} }
  const server = await served(t, (works) => ({
    get: async (...args) => { counts.gets++; return await works.get(...args) },
    async read (room, query) {
      const page = await works.read(room, query)
      const { act } = counts
      if (query.after !== undefined) counts.act = async () => {}
      if (query.after !== undefined) await act()
      return page
    }
  }))
  return { server, counts }
}

t.test('a resume over many pages reads their streams with the last one only', async (t) => {
  const { server, counts } = await counted(t)
  const after = await published(server, 'first')
  const streams = [await begun(server), await begun(server)]
  for (let i = 0; i < 6; i++) await published(server, large)
  const { client, joined } = await old(server, { after })
  await client.take(6 - joined.messages.length)
  t.strictSame([joined.complete, counts.gets], [true, 3 * 2], 'once for the watch, and before and after the page')
  await ended(server, streams[1]!, 'answer')
  t.match(await client.next(), { text: 'answer' })
})

t.test('a resume over many pages with too many streams is not complete', async (t) => {
  const { server, counts } = await counted(t)
  const after = await published(server, 'first')
  const streams: Position[] = []
  for (let i = 0; i < 9; i++) streams.push(await begun(server))
  for (let i = 0; i < 3; i++) await published(server, large)
  const { client, joined } = await old(server, { after })
  t.match([joined.complete, joined.position], [true, /-\.x$/])
  t.match((await client.take(2)).at(-1), { type: 'joined', complete: false })
  t.equal(counts.gets, streams.length, 'once for the watch')
  await ended(server, streams[8]!, 'answer')
  t.match(await client.next(), { text: 'answer' })
})

t.test('a stream that is deleted during a resume over many pages is not outstanding', async (t) => {
  const { server, counts } = await counted(t)
  const after = await published(server, 'first')
  const stream = await begun(server)
  for (let i = 0; i < 3; i++) await published(server, large)
  counts.act = async () => {
    await server.store.amend('a', stream, { by: null, change: { delete: true } })
    await tick()
  }
  const { client, joined: { position } } = await old(server, { after })
  t.strictSame(parseComposed(position).outstanding, [stream])
  await client.take(2)
  const last = await published(server, 'last')
  t.equal((await client.expect('message')).position, last)
})

t.test('the streams that have ended before a resume are sent in parts that fit into a page', async (t) => {
  const { server, counts } = await counted(t)
  const { client } = await old(server)
  const streams = [await begun(server), await begun(server), await begun(server)]
  await published(server, 'posted')
  const { position } = await client.expect('message')
  for (const stream of streams) await ended(server, stream, large)
  counts.gets = 0
  const { client: resumes, joined } = await old(server, { after: position })
  t.strictSame([joined.complete, joined.messages], [true, []])
  const late = await resumes.take(3) as Array<Message<'message'>>
  t.strictSame(late.map((message) => parseComposed(message.position).outstanding.length), [2, 1, 0])
  t.equal(counts.gets, 3 + 2 + 1)
})

t.test('a forged position sends no message that is larger than a stream', async (t) => {
  const { server } = await counted(t)
  const position = await published(server, 'x'.repeat(70 * 1024))
  await server.app.chat.react('a', position, '👍', { by: 'bot' })
  const base = await published(server, 'y')
  t.strictSame(await resumed(server, composePosition(base, undefined, [position])), [true])
})

t.test('a join receives the messages before a page of nothing but streaming ones', async (t) => {
  const { server } = await counted(t)
  for (let i = 0; i < 4; i++) await published(server, `${i}`)
  const streams = [await begun(server)]
  await published(server, '4')
  for (let i = 0; i < 3; i++) streams.push(await begun(server))
  for (const join of [{ history: 3 }, { history: 3, after: 'forged' }]) {
    const { client, joined } = await old(server, join)
    t.strictSame(texts(joined.messages), ['2', '3', '4'])
    t.strictSame(parseComposed(joined.position).outstanding, streams)
    await client.end()
  }
  const { client } = await old(server, { history: 3 })
  await ended(server, streams[0]!, 'answer')
  t.match(await client.next(), { text: 'answer' })
  t.strictSame((await old(server, { history: 0 })).joined.messages, [])
})

t.test('a join sends no more than a page of messages before streaming ones', async (t) => {
  const { server } = await counted(t)
  for (let i = 0; i < 4; i++) await published(server, `${i}${large}`)
  for (let i = 0; i < 3; i++) await begun(server)
  const { joined } = await old(server, { history: 3 })
  t.strictSame(joined.messages.map((message) => (message as Message<'message'>).text?.[0]), ['3'])
  const member = await server.member({ changes: true })
  t.equal((await member.join('a', { history: 3 })).messages.length, 3, 'a member with changes receives the streaming ones')
})
