import t from 'tap'
import { backendWith } from '../support/backend.ts'
import { chat } from '../support/chat-app.ts'
import { gate } from '../support/gate.ts'
import type { Message, V1Client } from '../support/v1-client.ts'
import { served, type ServedStore } from '../support/served-store.ts'
import { tick } from '../support/tick.ts'
import type { Page, Position, Store } from '../../src/store.ts'

const bot = { id: 'bot', name: 'Bot' }

async function begun ({ store }: ServedStore, body = ''): Promise<Position> {
  return (await store.append('a', { from: bot, body, streaming: true })).position
}

async function appended ({ store }: ServedStore, position: Position, at: number, ...pieces: string[]): Promise<void> {
  await Promise.all(pieces.map((append, i) =>
    store.amend('a', position, { by: null, change: { append, at: at + [...pieces.slice(0, i).join('')].length } })))
}

async function ended ({ store }: ServedStore, position: Position, unfinished?: true): Promise<void> {
  await store.amend('a', position, { by: null, change: { end: true, unfinished } })
}

/** Connects a member that understands changes. */
async function modern (server: ServedStore, join: object = {}): Promise<{ client: V1Client, joined: Message<'joined'> }> {
  const client = await server.injected()
  await client.hello({ changes: true })
  return { client, joined: await client.join('a', join) }
}

t.test('the pieces of one tick arrive as one appended, and the end with them', async (t) => {
  const server = await served(t)
  const { client } = await modern(server)
  const position = await begun(server, 'so ')
  t.match(await client.next(), { type: 'message', position, text: 'so ', streaming: true, from: bot })
  await appended(server, position, 3, 'f😀', 'ar', '!')
  const changed = await client.expect('changed')
  t.match(changed, { position, appended: { at: 3, text: 'f😀ar!' } })
  t.notOk('ended' in changed)
  await Promise.all([appended(server, position, 8, '?'), server.app.chat.react('a', position, '👍', { by: 'ada' }), ended(server, position)])
  t.match(await client.next(), { type: 'changed', position, appended: { at: 8, text: '?' }, ended: true, reactions: [{ reaction: '👍', count: 1 }] })
  const other = await begun(server)
  await client.expect('message')
  await ended(server, other, true)
  const end = await client.expect('changed')
  t.match(end, { position: other, ended: true, unfinished: true })
  t.notOk('appended' in end)
})

t.test('pages contain the text so far, and whether it streams or is unfinished', async (t) => {
  const server = await served(t)
  const [one, two] = [await begun(server, 'one'), await begun(server, 'two')]
  await appended(server, one, 3, '!')
  const { client, joined: { messages } } = await modern(server)
  t.match(messages, [{ text: 'one!', streaming: true, revision: String }, { text: 'two', streaming: true, revision: undefined }])
  await ended(server, two, true)
  await client.next()
  client.say({ type: 'history', room: 'a', before: two, limit: 1 })
  t.match(await client.next(), { type: 'history', messages: [{ text: 'one!', streaming: true }] })
  const { joined } = await modern(server)
  t.match(joined.messages[1], { text: 'two', unfinished: true, streaming: undefined })
})

t.test('a member that joins in the middle has the text so far and then the rest', async (t) => {
  const reading = gate()
  const holds = { reads: false }
  const server = await served(t, (works) => ({
    async read (...args): Promise<Page> {
      const page = await works.read(...args)
      if (holds.reads) await reading.pass()
      return page
    }
  }))
  const position = await begun(server)
  await modern(server)
  await appended(server, position, 0, 'a', 'b')
  holds.reads = true
  const client = await server.injected()
  await client.hello({ changes: true })
  const joining = client.join('a')
  await reading.reached
  await appended(server, position, 2, 'c', 'd')
  reading.open()
  const { messages } = await joining
  void appended(server, position, 4, 'e', 'f').then(async () => await ended(server, position))
  let text = messages[0]!.text!
  t.equal(text, 'ab')
  for (let isStreaming = true; isStreaming;) {
    const { appended: piece, ended } = await client.expect('changed')
    if (piece !== undefined) {
      t.ok(piece.at <= [...text].length, 'no gap')
      text = [...text].slice(0, piece.at).join('') + piece.text
    }
    isStreaming = ended !== true
  }
  t.equal(text, 'abcdef')
})

t.test('a client that resumes in the middle of a stream receives it whole, and then the rest', async (t) => {
  const server = await served(t)
  const { client, joined } = await modern(server)
  const position = await begun(server)
  await client.expect('message')
  await appended(server, position, 0, 'ab')
  const { revision } = await client.expect('changed')
  await client.end()
  await appended(server, position, 2, 'cd')
  const resumed = await modern(server, { after: position, revision })
  t.match(resumed.joined, { complete: true, messages: [], changes: [{ position, text: 'abcd', streaming: true, whole: true }] })
  await appended(server, position, 4, 'e')
  t.match(await resumed.client.next(), { appended: { at: 4, text: 'e' } })
  await ended(server, position, true)
  t.match(await resumed.client.next(), { ended: true, unfinished: true })
  const [change] = (await modern(server, { after: position, revision })).joined.changes!
  t.match(change, { text: 'abcde', unfinished: true, whole: true, streaming: undefined })
  t.match((await modern(server, { after: joined.position, revision: joined.revision })).joined.messages, [{ position, text: 'abcde' }])
})

t.test('a streaming message takes reactions and a deletion, but no edit', async (t) => {
  const server = await chat(t, { authorize: () => true, backend: backendWith((works) => { void works.append('a', { from: bot, body: 'x', streaming: true }); return {} }) })
  const client = await server.injected()
  await client.hello({ changes: true })
  const [{ position }] = (await client.join('a')).messages as [Message<'message'>]
  t.match(await client.refused({ type: 'edit', room: 'a', position, id: '1', text: 'y' }), { code: 'invalid', id: '1' })
  client.say({ type: 'react', room: 'a', position, id: '2', reaction: '👍', on: true })
  t.match(await client.take(2), [{ type: 'changed', reactions: [{ reaction: '👍' }] }, { type: 'ack' }])
  client.say({ type: 'delete', room: 'a', position, id: '3' })
  t.match(await client.take(2), [{ type: 'changed', deleted: true }, { type: 'ack' }])
})

t.test('a break reports a streaming message whole', async (t) => {
  let deliver!: Parameters<Store['follow']>[1]
  const server = await served(t, (works) => ({ follow: async (room, to) => { deliver = to; return await works.follow(room, to) } }))
  const { client } = await modern(server)
  const position = await begun(server, 'a')
  await client.expect('message')
  await tick()
  const cursor = { offset: 1, position, at: 0 }
  const change = (number: number) => ({ number, revision: `r${number}` })
  const entry = { ...cursor, from: bot, body: 'ab', streaming: true as const, revision: 'r2' }
  deliver({
    entries: [],
    changes: [{ ...cursor, change: change(2), entry }, { ...cursor, change: change(3), by: null, made: { append: 'c', at: 2 } }],
    complete: true,
    head: { ...cursor, change: change(3) }
  })
  t.match(await client.next(), { type: 'changed', text: 'abc', streaming: true, whole: true, revision: 'r3' })
  deliver({ entries: [], changes: [{ ...cursor, change: change(4), entry: { ...entry, streaming: undefined, unfinished: true } }], complete: true, head: { ...cursor, change: change(4) } })
  const whole = await client.expect('changed')
  t.match(whole, { text: 'ab', unfinished: true, whole: true })
  t.notOk('streaming' in whole)
})
