import t, { type Test } from 'tap'
import type { FastifyChatOptions } from '../../src/index.ts'
import { ChatError } from '../../src/client/node.ts'
import { build, listen } from '../support/app.ts'
import { chatClient, nextEvent, state } from '../support/chat-client.ts'

const limits = { messageRate: 100_000, messageBurst: 100_000 }

async function serve (t: Test, options: FastifyChatOptions = {}) {
  const app = await build(t, { limits, ...options })
  return { app, port: await listen(app) }
}

t.test('posts under way at a removal are stored or reject with its code, and left is last', async (t) => {
  // One post is handled in each turn of the event loop, so that the others are under way.
  const { app, port } = await serve(t, { prePost: (draft) => new Promise((resolve) => setImmediate(resolve, draft)) })
  const client = chatClient(t, port)
  const { member } = await state(client, 'online')
  const codes: unknown[] = []
  for (let i = 0; i < 50; i++) {
    const name = `room-${i}`
    const room = await client.join(name)
    const seen: unknown[] = []
    room.on('message', ({ position }) => seen.push(position))
    const left = nextEvent(room, 'left').then(({ code, message }) => { seen.push(`${code}: ${message}`) })
    const posts = Array.from({ length: 20 }, (_, n) => room.post(String(n)))
    await posts[i % 20]
    await app.chat.removeMember(name, member.id, { reason: 'spam' })
    const after = await app.chat.publish(name, { text: 'after' })
    await left
    const outcomes = await Promise.allSettled(posts)
    const stored = new Set((await app.chat.history(name)).entries.map(({ position }) => position))
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') t.ok(stored.delete(outcome.value), 'an acknowledged post is stored')
      else codes.push((outcome.reason as ChatError).code)
    }
    t.strictSame([...stored], [after], 'a post that was rejected is not stored')
    t.notOk(seen.includes(after))
    t.equal(seen.at(-1), 'removed: spam')
  }
  t.strictSame([...new Set(codes)], ['removed'])
})

t.test('a member whose rights are gone leaves with forbidden, and its loop throws', async (t) => {
  let allowed = true
  const { app, port } = await serve(t, { authorize: () => allowed })
  const client = chatClient(t, port)
  const room = await client.join('lobby')
  const left = nextEvent(room, 'left')
  const iterated = t.rejects(async () => { for await (const { text } of room) t.fail(String(text)) }, { code: 'forbidden' })
  allowed = false
  await app.chat.reauthorize({ room: 'lobby' })
  t.match(await left, { code: 'forbidden' })
  await iterated
  await t.rejects(client.join('lobby'), { code: 'forbidden' })
  allowed = true
  t.not(await client.join('lobby'), room)
})

t.test('a room that is left and joined again around a removal stays joined', async (t) => {
  const { app, port } = await serve(t)
  const client = chatClient(t, port)
  const { member } = await state(client, 'online')
  for (let i = 0; i < 50; i++) {
    const first = await client.join('lobby')
    const removal = app.chat.removeMember('lobby', member.id, { reason: 'spam' })
    first.leave()
    const second = client.join('lobby')
    await removal
    const outcome = await second.then(async (room) => await room.post('here'), (error: ChatError) => error.code)
    if (outcome !== 'removed') t.ok((await app.chat.history('lobby')).entries.some(({ position }) => position === outcome), String(outcome))
  }
})
