import t from 'tap'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'
import { RedisRoster } from '../../src/drivers/redis/roster/roster.ts'
import type { FastifyChatOptions } from '../../src/index.ts'
import { backendOf } from '../support/backend.ts'
import { chat } from '../support/chat-app.ts'
import { gate } from '../support/gate.ts'
import { redisServer, skip } from '../support/redis-server.ts'

/** The token of a client is the id of its member. */
const authenticate: FastifyChatOptions['authenticate'] = (_, { token }) => ({ id: token! })

/** A roster that counts its attendances. */
class CountingRoster extends MemoryRoster {
  attended = 0
  begun = 0
  override async attend (...args: Parameters<MemoryRoster['attend']>): Promise<() => void> {
    this.attended++
    this.begun++
    const unsubscribe = await super.attend(...args)
    return () => {
      this.attended--
      unsubscribe()
    }
  }
}

t.test('sendToMember reaches each connection of the member in order, and no other member', async (t) => {
  const { app, member } = await chat(t, { authenticate })
  const [one, two, bob] = [await member({ token: 'ada' }), await member({ token: 'ada' }), await member({ token: 'bob' }, 'a')]
  for (const data of [{ text: 'ä\u2028"' }, null, [1]]) t.equal(await app.chat.sendToMember('ada', data), true)
  for (const client of [one, two]) {
    t.strictSame(await client.take(3), [{ type: 'direct', data: { text: 'ä\u2028"' } }, { type: 'direct', data: null }, { type: 'direct', data: [1] }])
  }
  await bob.posted('a', 'nothing before')
})

t.test('sendToMember resolves with false for a member without a v1 connection', async (t) => {
  const { app, member, plain } = await chat(t, { authenticate: (_, { token, name }) => ({ id: token ?? name! }) })
  t.equal(await app.chat.sendToMember('ada', 1), false, 'never connected')
  await plain('?name=ada')
  t.equal(await app.chat.sendToMember('ada', 1), false, 'a plain client')
  const ada = await member({ token: 'ada' })
  t.equal(await app.chat.sendToMember('ada', 1), true)
  await ada.end()
  t.equal(await app.chat.sendToMember('ada', 1), false, 'disconnected')
})

t.test('a member that the app does not authenticate receives data by the id of its welcome', async (t) => {
  const { app, tcp } = await chat(t)
  const client = await tcp()
  const { member: { id } } = await client.hello()
  t.equal(await app.chat.sendToMember(id, 'hi'), true)
  t.strictSame(await client.next(), { type: 'direct', data: 'hi' })
})

t.test('data that is sent right after welcome is received, and none arrives before it', async (t) => {
  const admitted = gate()
  class HeldRoster extends MemoryRoster {
    override async restrictions (...args: Parameters<MemoryRoster['restrictions']>): ReturnType<MemoryRoster['restrictions']> {
      await admitted.pass()
      return await super.restrictions(...args)
    }
  }
  const roster = new HeldRoster()
  const attended = gate()
  const { attend } = roster
  roster.attend = async (...args) => {
    const unsubscribe = await attend.apply(roster, args)
    attended.open()
    return unsubscribe
  }
  const { app, tcp } = await chat(t, { backend: backendOf({ roster }), authenticate })
  const ada = await tcp()
  ada.say({ type: 'hello', token: 'ada' })
  await attended.pass()
  await app.chat.sendToMember('ada', 'before welcome')
  admitted.open()
  await ada.expect('welcome')
  await app.chat.sendToMember('ada', 'after welcome')
  t.strictSame(await ada.next(), { type: 'direct', data: 'after welcome' })
})

t.test('a node attends a member once for all its connections, until the last one ends', async (t) => {
  const roster = new CountingRoster()
  const { app, member, plain } = await chat(t, { authenticate: (_, { token, name }) => ({ id: token ?? name! }), backend: backendOf({ roster }) })
  const clients = [await member({ token: 'ada' }), await member({ token: 'ada' }), await member({ token: 'bob' })]
  await plain('?name=eve')
  t.strictSame([roster.attended, roster.begun], [2, 2])
  await clients[0]!.end()
  t.equal(roster.attended, 2)
  t.equal(await app.chat.sendToMember('ada', 1), true)
  await clients[1]!.end()
  await clients[2]!.end()
  t.equal(roster.attended, 0)
})

t.test('a member whose attendance failed is attended again when it reconnects', async (t) => {
  const roster = new MemoryRoster()
  const { attend } = roster
  roster.attend = async () => { throw new Error('no attendance') }
  const { app, tcp, member } = await chat(t, { authenticate, backend: backendOf({ roster }) })
  const refused = await tcp()
  t.match(await refused.refused({ type: 'hello', token: 'ada' }), { code: 'unavailable' })
  roster.attend = attend
  const ada = await member({ token: 'ada' })
  await app.chat.sendToMember('ada', 1)
  t.strictSame(await ada.next(), { type: 'direct', data: 1 })
})

t.test('sendToMember rejects an invalid id, data that is no JSON, and data above the limit', async (t) => {
  const { app } = await chat(t, { limits: { chatPayload: 100, pendingBytes: 8_000 } })
  await t.rejects(app.chat.sendToMember('', 1), { code: 'FST_CHAT_INVALID_ARGUMENT', message: /'memberId'/ })
  await t.rejects(app.chat.sendToMember('address:1', 1), { code: 'FST_CHAT_INVALID_ARGUMENT' })
  for (const data of [undefined, 1n, () => {}]) {
    await t.rejects(app.chat.sendToMember('ada', data), { code: 'FST_CHAT_INVALID_ARGUMENT', message: /'data' must be serializable as JSON/ })
  }
  t.equal(await app.chat.sendToMember('ada', 'x'.repeat(1_998)), false)
  await t.rejects(app.chat.sendToMember('ada', 'x'.repeat(1_999)), { code: 'FST_CHAT_POST_TOO_LARGE', message: 'the message has 2001 bytes; the limit is 2000' })
})

t.test('lone surrogates in direct data are replaced', async (t) => {
  const { app, member } = await chat(t, { authenticate })
  const ada = await member({ token: 'ada' })
  await app.chat.sendToMember('ada', '\ud800')
  t.strictSame(await ada.next(), { type: 'direct', data: '\ufffd' })
})

t.test('a client that does not read its direct data is terminated', async (t) => {
  const { app, member } = await chat(t, { authenticate, limits: { pendingBytes: 128 * 1024 } })
  const ada = await member({ token: 'ada' })
  ada.socket.pause()
  const data = 'x'.repeat(15_000)
  while (await app.chat.sendToMember('ada', data)) await new Promise(setImmediate)
  t.equal(app.chat.stats().connections, 0)
})

t.test('on Redis, sendToMember reaches the connections of the member on all nodes', { skip }, async (t) => {
  const { socket } = await redisServer(t)
  const node = async () => {
    const roster = new RedisRoster({ url: socket })
    t.teardown(() => roster.close())
    return await chat(t, { authenticate, backend: backendOf({ roster }) })
  }
  const [one, two, three] = [await node(), await node(), await node()]
  const clients = [await one.member({ token: 'ada' }), await one.member({ token: 'ada' }), await two.member({ token: 'ada' })]
  const bob = await three.member({ token: 'bob' }, 'a')
  t.equal(await three.app.chat.sendToMember('ada', { n: 1 }), true)
  for (const client of clients) t.strictSame(await client.next(), { type: 'direct', data: { n: 1 } })
  await bob.posted('a', 'nothing before')
  t.equal(await one.app.chat.sendToMember('eve', 1), false)
  await clients[2]!.end()
  await three.app.chat.sendToMember('ada', 2)
  t.strictSame(await clients[0]!.next(), { type: 'direct', data: 2 })
})
