import t from 'tap'
import { memory } from '../../src/drivers/memory/backend.ts'
import type { FastifyChatOptions, Hooks } from '../../src/index.ts'
import { chat } from '../support/chat-app.ts'
import { gate } from '../support/gate.ts'
import { memoryInUse } from '../support/memory.ts'
import { tick } from '../support/tick.ts'
import { texts, type Message, type V1Client } from '../support/v1-client.ts'

const authenticate: FastifyChatOptions['authenticate'] = (_request, { token = 'plain' }) => ({ id: token, name: token })

/** A hook that waits when it is asked whether some members may join, once `hold` was called. */
function rights () {
  let waits: ReturnType<typeof gate> | undefined
  let held: readonly string[] = []
  const denied = new Set<string>()
  const asked: string[] = []
  const authorize: Hooks['authorize'] = async ({ member: { id }, action, room }) => {
    if (action === 'join') asked.push(`${id} ${room}`)
    if (action === 'join' && held.includes(id)) await waits!.pass()
    return !denied.has(id) && !denied.has(`${id} ${action}`)
  }
  return { authorize, denied, asked, hold (...ids: string[]) { held = ids; waits = gate(); return waits } }
}

/** Resolves with the messages up to the one with this text, changes and presence included. */
async function upTo (client: V1Client, text: string): Promise<Message[]> {
  for (const messages: Message[] = []; ;) {
    const message = await client.any()
    messages.push(message)
    if (message.type === 'message' && message.text === text) return messages
  }
}

for (const [posts, size, source] of [[1_000, 0, 'memory'], [600, 8 * 1024, 'the store']] as const) {
  t.test(`none of ${posts} posts during a suspension is lost or doubled, read from ${source}`, async (t) => {
    const { authorize, hold } = rights()
    const server = await chat(t, { authenticate, authorize, backend: memory({ historyEntries: 10_000, historyBytes: 2 ** 26 }) })
    const bob = await server.member({ token: 'bob' }, 'lobby')
    const [old, ada] = [await server.member({ token: 'ada' }, 'lobby'), await server.member({ token: 'ada', changes: true }, 'lobby')]
    const plain = await server.plain()
    const edited = await server.app.chat.publish('lobby', { text: 'before' })
    for (const client of [old, ada, bob]) await client.upTo('before')
    t.equal(await plain.next(), 'before')
    const waits = hold('ada', 'plain')
    await server.app.chat.reauthorize({ room: 'lobby' })
    const expected = Array.from({ length: posts }, (_, i) => `${i}`.padEnd(size))
    for (const text of expected) await server.app.chat.publish('lobby', { text })
    await server.app.chat.edit('lobby', edited, { text: 'edited' })
    await upTo(bob, expected.at(-1)!)
    ada.say({ type: 'ping', id: 'i' })
    t.match(await ada.next(), { type: 'pong' }, 'a suspended member receives nothing')
    waits.open()
    await server.app.chat.publish('lobby', { text: 'end' })
    t.strictSame(texts(await old.upTo('end')), expected)
    const seen = await upTo(ada, 'end')
    t.notOk(seen.some(({ type }) => type === 'joined'))
    t.strictSame(texts(seen.filter(({ type }) => type === 'message')), [...expected, 'end'])
    const isEdited = (message: Message) => message.type === 'changed' && message.position === edited && message.text === 'edited'
    const edits = seen.filter(isEdited).length
    t.ok(edits === 1 || (edits === 0 && isEdited(await ada.next())))
    const received: unknown[] = []
    while (received.length <= posts) received.push(await plain.next())
    t.strictSame(received, [...expected, 'end'])
  })
}

t.test('a member that was suspended for too long receives a new view', async (t) => {
  const { authorize, hold } = rights()
  const server = await chat(t, { authenticate, authorize, backend: memory({ historyEntries: 10 }) })
  const ada = await server.member({ token: 'ada' }, 'a')
  const bob = await server.member({ token: 'bob' }, 'a')
  const waits = hold('ada')
  await server.app.chat.reauthorize({ member: 'ada' })
  const posted = Array.from({ length: 400 }, (_, i) => `${i}`.padEnd(8 * 1024))
  for (const text of posted) await server.app.chat.publish('a', { text })
  await bob.upTo(posted.at(-1)!)
  waits.open()
  const { complete, messages } = await ada.expect('joined')
  t.equal(complete, false)
  t.strictSame(texts(messages), posted.slice(-texts(messages).length))
  await ada.posted('a', 'x')
})

t.test('a member that may not stay receives left with the code forbidden, a plain one 4403', async (t) => {
  const { authorize, denied } = rights()
  const left: string[] = []
  const server = await chat(t, { authenticate, authorize, onLeave: ({ id }) => { left.push(id) } })
  const [ada, bob, plain] = [await server.member({ token: 'ada' }, 'lobby'), await server.member({ token: 'bob' }, 'lobby'), await server.plain()]
  denied.add('ada').add('plain')
  await server.app.chat.reauthorize({ room: 'lobby' })
  await server.app.chat.publish('lobby', { text: 'x' })
  t.strictSame(await ada.next(), { type: 'left', room: 'lobby', code: 'forbidden', message: "not allowed to join in room 'lobby'" })
  t.match(await plain.closed, { code: 4403 })
  t.match(await bob.next(), { text: 'x' })
  t.strictSame(left.sort(), ['ada', 'plain'])
  t.match(await ada.refused({ type: 'join', room: 'lobby' }), { code: 'forbidden' })
  denied.clear()
  await ada.join('lobby')
})

t.test('reauthorize asks for the named room and member alone, or for all', async (t) => {
  const { authorize, asked } = rights()
  const server = await chat(t, { authenticate, authorize })
  await server.member({ token: 'ada' }, 'a', 'b')
  const bob = await server.member({ token: 'bob' }, 'a', 'b')
  const asks = async (whom: object) => {
    asked.length = 0
    await server.app.chat.reauthorize(whom)
    await tick()
    return asked.sort()
  }
  t.strictSame(await asks({ room: 'a', member: 'ada' }), ['ada a'])
  t.strictSame(await asks({ room: 'a' }), ['ada a', 'bob a'])
  t.strictSame(await asks({ member: 'bob' }), ['bob a', 'bob b'])
  t.strictSame(await asks({}), ['ada a', 'ada b', 'bob a', 'bob b'])
  t.strictSame(await asks({ room: 'empty' }), [])
  await bob.posted('a', 'x')
})

t.test('without authorize, reauthorize changes nothing', async (t) => {
  const server = await chat(t, { authenticate })
  const ada = await server.member({ token: 'ada' }, 'a')
  await server.app.chat.reauthorize()
  await ada.posted('a', 'x')
})

t.test('authorize that throws during a suspension closes that connection alone', async (t) => {
  let fault = ''
  const server = await chat(t, { authenticate, authorize: ({ member: { id } }) => { if (id === fault) throw new Error('a fault'); return true } })
  const [ada, bob] = [await server.member({ token: 'ada' }, 'a'), await server.member({ token: 'bob' }, 'a')]
  fault = 'ada'
  await server.app.chat.reauthorize({ room: 'a' })
  await server.app.chat.publish('a', { text: 'x' })
  t.match(await ada.closed, { code: 1011 })
  await t.rejects(ada.next(), 'it received nothing')
  t.match(await bob.next(), { text: 'x' })
})

t.test('a member for which authorize never answers receives nothing, others everything', async (t) => {
  const { authorize, hold } = rights()
  const server = await chat(t, { authenticate, authorize })
  const [ada, bob] = [await server.member({ token: 'ada' }, 'a', 'b'), await server.member({ token: 'bob' }, 'a')]
  hold('ada')
  await server.app.chat.reauthorize({ room: 'a' })
  for (let i = 0; i < 100; i++) await server.app.chat.publish('a', { text: `${i}` })
  await bob.upTo('99')
  await ada.posted('b', 'in another room')
  ada.post('a', 'waits')
  await server.app.chat.removeMember('a', 'ada', { reason: 'no' })
  t.match(await ada.next(), { type: 'left', code: 'removed', message: 'no' })
  const { type, code } = await ada.next() as Message<'error'>
  t.ok(type === 'error' && (code === 'forbidden' || code === 'not_joined'), 'the post is answered')
})

t.test('a post and a page of history of a suspended member wait for its rights', async (t) => {
  const { authorize, hold, denied } = rights()
  const server = await chat(t, { authenticate, authorize })
  const [ada, bob] = [await server.member({ token: 'ada' }, 'a'), await server.member({ token: 'bob' }, 'a')]
  for (const isAllowed of [true, false]) {
    const waits = hold('ada')
    await server.app.chat.reauthorize({ room: 'a' })
    await waits.reached
    ada.post('a', 'from ada')
    await bob.posted('a', 'from bob')
    if (!isAllowed) denied.add('ada')
    waits.open()
    if (isAllowed) {
      t.match(await ada.take(3), [{ text: 'from bob' }, { text: 'from ada' }, { type: 'ack' }])
      t.match(await bob.next(), { text: 'from ada' })
    } else {
      t.match(await ada.take(2), [{ type: 'left', code: 'forbidden' }, { type: 'error', code: 'forbidden', request: 'post' }])
    }
  }
})

t.test('rights that were revoked while a post waited in authorize are asked for again', async (t) => {
  const { authorize, denied } = rights()
  const waits = gate()
  let posts = 0
  const server = await chat(t, {
    authenticate,
    authorize: async (question) => {
      const answer = await authorize(question)
      if (question.action === 'post' && posts++ === 0) await waits.pass()
      return answer
    }
  })
  const ada = await server.member({ token: 'ada' }, 'a')
  ada.post('a', 'x')
  await waits.reached
  denied.add('ada post')
  await server.app.chat.reauthorize({ member: 'ada' })
  await tick()
  waits.open()
  t.match(await ada.next(), { type: 'error', code: 'forbidden', request: 'post' })
})

t.test('a second reauthorize during the first one asks again', async (t) => {
  const { authorize, hold, denied, asked } = rights()
  const server = await chat(t, {
    authenticate,
    authorize: async (question) => {
      const isDenied = denied.has(question.member.id)
      return await authorize(question) && !isDenied
    }
  })
  const ada = await server.member({ token: 'ada' }, 'a')
  asked.length = 0
  const waits = hold('ada')
  await server.app.chat.reauthorize({ room: 'a' })
  await waits.reached
  await server.app.chat.reauthorize({ room: 'a' })
  await tick()
  waits.open()
  await ada.posted('a', 'x')
  t.strictSame(asked, ['ada a', 'ada a'])
})

t.test('after a break the rights of all members are asked for before they receive the new view', async (t) => {
  const { authorize, denied, hold } = rights()
  const server = await chat(t, { authenticate, authorize })
  const [ada, bob, eve] = [await server.member({ token: 'ada' }, 'a'), await server.member({ token: 'bob' }, 'a'), await server.member({ token: 'eve' }, 'a')]
  denied.add('ada')
  const waits = hold('eve')
  await server.app.chat.clear('a')
  await server.app.chat.publish('a', { text: 'x' })
  t.match(await ada.next(), { type: 'left', code: 'forbidden' })
  const { complete, messages } = await bob.expect('joined')
  t.equal(complete, false)
  if (messages.length === 0) t.match(await bob.next(), { text: 'x' })
  await server.app.chat.publish('a', { text: 'y' })
  t.match(await bob.next(), { text: 'y' })
  waits.open()
  t.match(await eve.next(), { type: 'joined', complete: false, messages: [{ text: 'x' }, { text: 'y' }] })
  await server.app.chat.publish('a', { text: 'z' })
  t.match(await eve.next(), { text: 'z' })
})

t.test('a member that was suspended learns who has joined and left meanwhile', async (t) => {
  const { authorize, hold } = rights()
  const server = await chat(t, { authenticate, authorize })
  const ada = await server.member({ token: 'ada' }, 'a')
  const bob = await server.member({ token: 'bob' }, 'a')
  await ada.presence(({ joined }) => joined.some(({ id }) => id === 'bob'))
  const waits = hold('ada')
  await server.app.chat.reauthorize({ member: 'ada' })
  await waits.reached
  await bob.end()
  const eve = await server.member({ token: 'eve' }, 'a')
  await eve.presence(({ left }) => left.some(({ id }) => id === 'bob'))
  waits.open()
  const { joined, left, count } = await ada.presence()
  t.equal(count, 2)
  t.strictSame(joined.map(({ id }) => id).sort(), ['ada', 'eve'])
  t.strictSame(left.map(({ id }) => id), ['bob'])
})

t.test('a typing signal is authorized again after reauthorize', async (t) => {
  const { authorize, denied } = rights()
  const server = await chat(t, { authenticate, authorize })
  const [ada, bob] = [await server.member({ token: 'ada' }, 'a'), await server.member({ token: 'bob' }, 'a')]
  ada.say({ type: 'typing', room: 'a' })
  await bob.expect('typing')
  await ada.expect('typing')
  denied.add('ada post')
  await server.app.chat.reauthorize({ room: 'a' })
  await tick()
  ada.say({ type: 'typing', room: 'a' })
  t.match(await ada.refused({ type: 'post', room: 'a', text: 'x', id: 'i' }), { code: 'forbidden' })
  await server.app.chat.publish('a', { text: 'end' })
  t.match(await bob.next(), { text: 'end' })
})

t.test('after a break, reauthorize takes no memory while authorize does not answer', async (t) => {
  let isHanging = false
  const server = await chat(t, { authenticate, authorize: () => isHanging ? new Promise(() => {}) : true })
  for (let i = 0; i < 50; i++) await server.member({ token: `${i}` }, 'a')
  isHanging = true
  await server.app.chat.clear('a')
  const memoryAfter = async (controls: number) => {
    // Each is delivered alone.
    for (let i = 0; i < controls; i++) {
      await server.app.chat.reauthorize({ room: 'a' })
      await tick()
    }
    return await memoryInUse()
  }
  const before = await memoryAfter(100)
  t.ok(await memoryAfter(2_000) - before < 2 * 1024 * 1024)
})
