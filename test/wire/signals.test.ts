import t from 'tap'
import { RedisRoster } from '../../src/drivers/redis/roster/roster.ts'
import type { FastifyChatOptions } from '../../src/index.ts'
import { backendOf } from '../support/backend.ts'
import { chat } from '../support/chat-app.ts'
import { holdRates } from '../support/hold-rates.ts'
import { redisServer, skip } from '../support/redis-server.ts'

/** The token of a client is the id of its member. */
const authenticate: FastifyChatOptions['authenticate'] = (_, { token }) => ({ id: token!, name: token!, data: { role: 'admin' } })

const from = { id: 'ada', name: 'ada' }

t.test('a signal is sent to the members of its room, the sender too, and stored nowhere', async (t) => {
  const { app, member, plain } = await chat(t, { authenticate: (_, { token, name }) => ({ id: token ?? name!, name: name ?? token! }) })
  const [ada, bob, eve] = [await member({ token: 'ada' }, 'lobby'), await member({ token: 'bob' }, 'lobby', 'b'), await member({ token: 'eve' }, 'b')]
  const other = await plain('?name=plain')
  for (const data of [{ cursor: [1, 2], text: 'ä"' }, null, false]) {
    ada.say({ type: 'signal', room: 'lobby', data })
    for (const client of [ada, bob]) t.strictSame(await client.next(), { type: 'signal', room: 'lobby', from, data })
  }
  await eve.posted('b', 'nothing before')
  await ada.posted('lobby', 'x')
  t.equal(await other.next(), 'ada: x')
  t.equal((await app.chat.history('lobby')).entries.length, 1)
  t.strictSame((await (await member({ token: 'later' })).join('lobby')).messages.length, 1)
})

t.test('the end of typing is sent to the members of the room', async (t) => {
  const { member } = await chat(t, { authenticate })
  const [ada, bob] = [await member({ token: 'ada' }, 'a'), await member({ token: 'bob' }, 'a')]
  for (const [request, on] of [[{}, {}], [{ on: false }, { on: false }], [{ on: true }, {}]]) {
    ada.say({ type: 'typing', room: 'a', ...request })
    for (const client of [ada, bob]) t.strictSame(await client.next(), { type: 'typing', room: 'a', from, ...on })
  }
})

t.test('on Redis, signals and the end of typing reach the members on another node', { skip }, async (t) => {
  const { socket } = await redisServer(t)
  const node = async () => {
    const roster = new RedisRoster({ url: socket })
    t.teardown(() => roster.close())
    return await chat(t, { authenticate, backend: backendOf({ roster }) })
  }
  const [one, two] = [await node(), await node()]
  const [ada, bob] = [await one.member({ token: 'ada' }, 'a'), await two.member({ token: 'bob' }, 'a')]
  ada.say({ type: 'signal', room: 'a', data: { n: 'ä' } })
  t.strictSame(await bob.next(), { type: 'signal', room: 'a', from, data: { n: 'ä' } })
  ada.say({ type: 'typing', room: 'a', on: false })
  t.strictSame(await bob.next(), { type: 'typing', room: 'a', from, on: false })
})

t.test('a muted member can not signal, and receives an error', async (t) => {
  const { app, member } = await chat(t, { authenticate })
  const [ada, bob] = [await member({ token: 'ada' }, 'a'), await member({ token: 'bob' }, 'a')]
  await app.chat.mute('ada', { duration: 60_000, reason: 'so it is' })
  t.match(await ada.refused({ type: 'signal', room: 'a', data: 1 }), { code: 'muted', message: 'muted: so it is', request: 'signal', room: 'a' })
  ada.say({ type: 'typing', room: 'a', on: false })
  t.match(await ada.refused({ type: 'post', room: 'a', id: 'handled after typing', text: '' }), { code: 'muted' })
  await app.chat.unmute('ada')
  ada.say({ type: 'signal', room: 'a', data: 2 })
  t.match(await bob.next(), { type: 'signal', data: 2 })
})

t.test('a member that may not post can not signal, and the answer of authorize is reused', async (t) => {
  const asked: string[] = []
  const { member } = await chat(t, {
    authenticate,
    authorize: async ({ member: { id }, action }) => {
      asked.push(`${id} ${action}`)
      return action !== 'post' || id !== 'ada'
    }
  })
  const [ada, bob] = [await member({ token: 'ada' }, 'a'), await member({ token: 'bob' }, 'a')]
  asked.length = 0
  for (let i = 0; i < 2; i++) {
    t.match(await ada.refused({ type: 'signal', room: 'a', data: 1 }), { code: 'forbidden', message: "not allowed to signal in room 'a'", request: 'signal' })
  }
  ada.say({ type: 'typing', room: 'a' })
  bob.say({ type: 'signal', room: 'a', data: 2 })
  bob.say({ type: 'typing', room: 'a' })
  t.match([await bob.next(), await bob.next()], [{ type: 'signal', from: { id: 'bob' } }, { type: 'typing', from: { id: 'bob' } }])
  t.strictSame(asked, ['ada post', 'bob post'])
})

t.test('an error of authorize for a signal closes the connection', async (t) => {
  const { member } = await chat(t, { authenticate, authorize: ({ action }) => { if (action === 'post') throw new Error('the database is away'); return true } })
  const ada = await member({ token: 'ada' }, 'a')
  ada.say({ type: 'signal', room: 'a', data: 1 })
  t.match(await ada.closed, { code: 1011 })
})

t.test('a signal without data, or in a room that is not joined, is an error', async (t) => {
  const { member } = await chat(t)
  const ada = await member({}, 'a')
  t.match(await ada.refused({ type: 'signal', room: 'a' }), { code: 'invalid', message: /data/, request: 'signal' })
  t.match(await ada.refused({ type: 'signal', room: 'b', data: 1 }), { code: 'not_joined', request: 'signal', room: 'b' })
  t.match(await ada.refused({ type: 'typing', room: 'a', on: 1 }), { code: 'invalid', message: /on/ })
  t.match(await ada.refused('{"type":"signal","room":"a","data":' + '['.repeat(17) + ']'.repeat(17) + '}'), { code: 'invalid', message: /nested/ })
})

t.test('signals count as posts do in the rates, with the bytes that they are sent on with', async (t) => {
  const data = `[${new Array(40).fill('1e20').join(',')}]`
  const server = await chat(t, { limits: { chatPayload: 1_000, messageRate: 1, messageBurst: 4, byteRate: 1, byteBurst: 2_000 } })
  holdRates(t)
  const ada = await server.member({}, 'a')
  for (let i = 0; i < 2; i++) {
    ada.say(`{"type":"signal","room":"a","data":${data}}`)
    t.match(await ada.next(), { type: 'signal', data: new Array(40).fill(1e20) })
  }
  t.match(await ada.refused(`{"type":"signal","room":"a","data":${data}}`), { code: 'rate_limited', request: 'signal', room: 'a' })
  const bob = await server.member({}, 'a')
  t.match(await bob.refused(`{"type":"signal","room":"a","data":[${new Array(60).fill('1e20').join(',')}]}`), {
    code: 'invalid', message: 'data has 1330 bytes as JSON.stringify writes them: the limit is 1000', request: 'signal'
  })
  for (let i = 0; i < 2; i++) {
    bob.say({ type: 'signal', room: 'a', data: i })
    t.match(await bob.next(), { type: 'signal', data: i })
  }
  t.match(await bob.refused({ type: 'signal', room: 'a', data: 2 }), { code: 'rate_limited' })
})
