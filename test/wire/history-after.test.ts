import t, { type Test } from 'tap'
import type { Backend } from '../../src/backend.ts'
import { memory, type MemoryOptions } from '../../src/drivers/memory/backend.ts'
import { redis } from '../../src/drivers/redis/backend.ts'
import { chat } from '../support/chat-app.ts'
import { redisServer, skip } from '../support/redis-server.ts'
import { texts, type Message, type V1Client } from '../support/v1-client.ts'

const backends: Record<string, (t: Test, bounds?: MemoryOptions) => Promise<Backend>> = {
  memory: async (_t, bounds) => memory(bounds),
  Redis: async (t, bounds) => redis({ url: (await redisServer(t)).socket, ...bounds })
}

const pageAfter = async (client: V1Client, after: string, limit: number): Promise<Message<'history'>> => {
  client.say({ type: 'history', room: 'a', after, limit })
  return await client.expect('history')
}

for (const [name, backend] of Object.entries(backends)) {
  t.test(`history after a position on ${name}`, { skip: name === 'Redis' && skip }, async (t) => {
    t.test('pages lead to the newest message, and each message is returned once', async (t) => {
      const { app, member } = await chat(t, { backend: await backend(t) })
      const first = await app.chat.publish('a', { text: '1' })
      for (let i = 2; i <= 103; i++) await app.chat.publish('a', { text: `${i}` })
      const client = await member({}, 'a')
      const seen: Array<Message<'history'>['messages'][number]> = []
      let after = first
      for (let more = true; more;) {
        const page = await pageAfter(client, after, 10)
        t.strictSame([page.room, page.before, page.after, page.complete], ['a', undefined, after, true])
        t.ok(page.messages.length <= 10)
        seen.push(...page.messages)
        after = page.messages.at(-1)!.position
        more = page.more
      }
      t.strictSame(texts(seen), Array.from({ length: 102 }, (_, i) => `${i + 2}`))
      t.match(await pageAfter(client, after, 10), { messages: { length: 0 }, more: false, complete: true })
      client.say({ type: 'history', room: 'a', before: seen[5]!.position, limit: 2 })
      t.strictSame(texts((await client.expect('history')).messages), ['5', '6'], 'both directions meet')
    })

    t.test('a page after the beginning of a room has its first messages', async (t) => {
      const { member } = await chat(t, { backend: await backend(t) })
      const client = await member()
      const { position } = await client.join('a')
      for (const text of ['1', '2', '3']) await client.posted('a', text)
      t.match(await pageAfter(client, position, 2), { messages: [{ text: '1' }, { text: '2' }], more: true, complete: true })
    })

    t.test('a page is bounded in bytes too, and holds at least one message', async (t) => {
      const { app, member } = await chat(t, { backend: await backend(t) })
      const first = await app.chat.publish('a', { text: 'first' })
      await app.chat.publish('a', { text: 'y'.repeat(100_000) })
      for (let i = 1; i <= 6; i++) await app.chat.publish('a', { text: `${i} ${'x'.repeat(30_000)}` })
      const client = await member({}, 'a')
      const counts: number[] = []
      let after = first
      for (let more = true; more;) {
        const page = await pageAfter(client, after, 1_000)
        counts.push(page.messages.length)
        after = page.messages.at(-1)!.position
        more = page.more
      }
      t.strictSame(counts, [1, 2, 2, 2])
    })

    t.test('a page after an unknown, trimmed or cleared position is empty and incomplete', async (t) => {
      const { app, member } = await chat(t, { backend: await backend(t, { historyEntries: 3 }) })
      const first = await app.chat.publish('a', { text: '0' })
      const other = await app.chat.publish('b', { text: 'b' })
      for (let i = 1; i <= 5; i++) await app.chat.publish('a', { text: `${i}` })
      const client = await member({}, 'a')
      for (const after of [first, other, 'rubbish', `${first}0`]) {
        t.strictSame(await pageAfter(client, after, 10), { type: 'history', room: 'a', after, messages: [], more: false, complete: false })
      }
      const kept = await client.posted('a', 'kept')
      await app.chat.clear('a')
      await client.expect('joined')
      t.match(await pageAfter(client, kept, 10), { after: kept, messages: { length: 0 }, complete: false })
    })

    t.test('a client with changes receives streaming messages, and messages with their state', async (t) => {
      const { app, member } = await chat(t, { backend: await backend(t) })
      const first = await app.chat.publish('a', { text: 'first' })
      const edited = await app.chat.publish('a', { text: 'old' })
      await app.chat.edit('a', edited, { text: 'new' })
      const stream = app.chat.createWriteStream('a')
      stream.write('so far')
      const client = await member({ changes: true }, 'a')
      while (!texts((await pageAfter(client, first, 10)).messages).includes('so far'));
      t.match(await pageAfter(client, first, 10), { messages: [{ text: 'new', editedAt: String }, { text: 'so far', streaming: true }], more: false, revision: String })
      stream.end()
    })
  })
}

t.test('welcome announces history after a position', async (t) => {
  const { tcp } = await chat(t)
  t.ok((await (await tcp()).hello()).features?.includes('history-after'))
})

t.test('a request with both positions, with none or with an invalid one is refused', async (t) => {
  const { member } = await chat(t)
  const client = await member({}, 'a')
  for (const [positions, problem] of [
    [{}, 'must have exactly one of the properties before, after'],
    [{ before: 'x', after: 'x' }, 'must have exactly one of the properties before, after'],
    [{ after: '' }, '/after must not have fewer than 1 characters'],
    [{ after: 'x'.repeat(129) }, '/after must not have more than 128 characters'],
    [{ after: 1 }, '/after must be string']
  ] as const) {
    const error = await client.refused({ type: 'history', room: 'a', ...positions, limit: 1 })
    t.match(error, { code: 'invalid', message: problem, room: 'a', request: 'history' })
  }
})

t.test('a page of newer messages counts as four requests, and authorize decides on it', async (t) => {
  const asked: string[] = []
  const { app, member } = await chat(t, {
    limits: { messageRate: 1, messageBurst: 9 },
    authorize: ({ action }) => action !== 'history' || asked.push(action) === 0
  })
  const after = await app.chat.publish('a', { text: '1' })
  const client = await member({}, 'a')
  for (let i = 0; i < 2; i++) t.match(await client.refused({ type: 'history', room: 'a', after, limit: 1 }), { code: 'forbidden', room: 'a' })
  t.match(await client.refused({ type: 'history', room: 'a', after, limit: 1 }), { code: 'rate_limited', room: 'a' })
  t.strictSame(asked, ['history', 'history'])
})
