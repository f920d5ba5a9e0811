import t from 'tap'
import { memory } from '../../src/drivers/memory/backend.ts'
import { chat } from '../support/chat-app.ts'
import { texts, type Message } from '../support/v1-client.ts'

t.test('join returns the newest messages, 50 by default or as many as requested', async (t) => {
  const { app, member } = await chat(t)
  for (let i = 1; i <= 60; i++) await app.chat.publish('a', { text: `${i}` })
  const client = await member()
  for (const [history, first] of [[undefined, 11], [0, 61], [1, 60], [5, 56], [1_000, 1]] as const) {
    const { messages, complete } = await client.join('a', history === undefined ? {} : { history })
    t.strictSame(texts(messages), Array.from({ length: 61 - first }, (_, i) => `${first + i}`), `history: ${history}`)
    t.equal(complete, true)
    await client.leave('a')
  }
})

t.test('the default of history can be set to 0', async (t) => {
  const { app, member } = await chat(t, { chat: { history: 0 } })
  await app.chat.publish('a', { text: 'x' })
  t.strictSame((await (await member()).join('a')).messages, [])
})

t.test('pages lead back to the first message, and each message is returned once', async (t) => {
  const { app, member } = await chat(t)
  for (let i = 1; i <= 103; i++) await app.chat.publish('a', { text: `${i}` })
  const client = await member()
  const { messages, position } = await client.join('a', { history: 10 })
  t.equal(messages.at(-1)?.position, position)
  const seen = [...messages]
  for (let more = true; more;) {
    const before = seen[0]!.position
    client.say({ type: 'history', room: 'a', before, limit: 10 })
    const page: Message<'history'> = await client.expect('history')
    t.strictSame([page.room, page.before, page.complete], ['a', before, true])
    seen.unshift(...page.messages)
    more = page.more
  }
  t.strictSame(texts(seen), Array.from({ length: 103 }, (_, i) => `${i + 1}`))
  client.say({ type: 'history', room: 'a', before: seen[0]!.position, limit: 10 })
  t.match(await client.next(), { type: 'history', messages: { length: 0 }, more: false, complete: true })
})

t.test('a page is bounded in bytes too, and holds at least one message', async (t) => {
  const { app, member } = await chat(t)
  for (let i = 1; i <= 20; i++) await app.chat.publish('a', { text: `${i} ${'x'.repeat(15_000)}` })
  await app.chat.publish('a', { text: 'y'.repeat(100_000) })
  await app.chat.publish('a', { text: 'last' })
  const client = await member()
  const { messages: [last] } = await client.join('a', { history: 1_000 })
  t.equal(last?.text, 'last')
  const seen: Array<number | undefined> = []
  let before = last!.position
  for (let more = true; more;) {
    client.say({ type: 'history', room: 'a', before, limit: 1_000 })
    const page = await client.expect('history')
    seen.push(page.messages.length)
    before = page.messages[0]!.position
    more = page.more
  }
  t.equal(seen[0], 1)
  t.equal(seen.reduce((sum, count) => sum! + count!, 0), 21)
  t.ok(seen.every((count) => count! <= 5), `${seen}`)
})

t.test('history before an unknown or trimmed position is empty and incomplete', async (t) => {
  const { app, member } = await chat(t, { backend: memory({ historyEntries: 3 }) })
  const first = await app.chat.publish('a', { text: '0' })
  const other = await app.chat.publish('b', { text: 'b' })
  for (let i = 1; i <= 5; i++) await app.chat.publish('a', { text: `${i}` })
  const client = await member({}, 'a')
  for (const before of [first, other, 'rubbish', `${first}0`]) {
    client.say({ type: 'history', room: 'a', before, limit: 10 })
    t.strictSame(await client.next(), { type: 'history', room: 'a', before, messages: [], more: false, complete: false })
  }
})

t.test('history returns messages with all their properties', async (t) => {
  const { member, plain } = await chat(t)
  const ada = await member({ name: 'ada' }, 'lobby')
  const other = await plain()
  await ada.posted('lobby', 'with data', { data: { a: 1 } })
  await other.next()
  other.socket.send(Buffer.from([0, 1, 255]))
  await ada.expect('message')
  const last = await ada.posted('lobby', 'end')
  ada.say({ type: 'history', room: 'lobby', before: last, limit: 2 })
  const { messages } = await ada.expect('history')
  t.match(messages, [
    { room: 'lobby', from: { name: 'ada' }, text: 'with data', data: { a: 1 }, at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/ },
    { from: { name: '' }, bytes: 'AAH/' }
  ])
  t.notOk('text' in messages[1]!)
})
