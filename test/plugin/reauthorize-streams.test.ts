import { once } from 'node:events'
import t from 'tap'
import type { FastifyChatOptions } from '../../src/index.ts'
import { backendWith } from '../support/backend.ts'
import { chat } from '../support/chat-app.ts'
import { gate } from '../support/gate.ts'
import { texts } from '../support/v1-client.ts'

const authenticate: FastifyChatOptions['authenticate'] = (_request, { token = 'plain' }) => ({ id: token })

for (const size of [0, 8 * 1024]) {
  t.test(`streamed texts are complete after a suspension, with ${size === 0 ? 'few' : 'many'} bytes missed`, async (t) => {
    const waits = gate()
    let isHeld = false
    const server = await chat(t, {
      authenticate,
      chat: { history: 0 },
      authorize: async ({ member: { id }, action }) => {
        if (isHeld && action === 'join' && id !== 'bob') await waits.pass()
        return true
      }
    })
    const { chat: api } = server.app
    const [old, ada, bob] = [await server.member({ token: 'old' }, 'lobby'), await server.member({ token: 'ada', changes: true }, 'lobby'), await server.member({ token: 'bob' }, 'lobby')]
    const plain = await server.plain()
    const streams = [api.createWriteStream('lobby'), api.createWriteStream('lobby')]
    await Promise.all(streams.map((stream) => once(stream, 'ready')))
    streams[0]!.write('one ')
    streams[1]!.write('two ')
    await api.publish('lobby', { text: 'before' })
    for (const client of [old, ada, bob]) await client.upTo('before')
    t.equal(await plain.next(), 'before')
    isHeld = true
    await api.reauthorize({ room: 'lobby' })
    await waits.reached
    streams[0]!.end('and the end')
    await once(streams[0]!, 'finish')
    const missed = Array.from({ length: 400 }, (_, i) => `${i}`.padEnd(size))
    for (const text of missed) await api.publish('lobby', { text })
    await bob.upTo(missed.at(-1)!)
    waits.open()
    await api.publish('lobby', { text: 'after' })
    for (const client of [old, plain]) {
      const received: unknown[] = []
      while (received.length < missed.length + 2) received.push(client === plain ? await plain.next() : texts([await old.next()])[0])
      t.strictSame(received.filter((text) => text !== 'one and the end'), [...missed, 'after'])
      t.equal(received.filter((text) => text === 'one and the end').length, 1)
    }
    streams[1]!.end('and its end')
    t.match(await old.next(), { type: 'message', text: 'two and its end' })
    t.equal(await plain.next(), 'two and its end')
    let [first, second] = ['one ', 'two ']
    for (let ends = 0; ends < 2;) {
      const message = await ada.next()
      t.not(message.type, 'joined')
      if (message.type !== 'changed') continue
      const isFirst = message.position === streams[0]!.position
      const text = message.text ?? (isFirst ? first : second).slice(0, message.appended?.at) + (message.appended?.text ?? '')
      if (message.text !== undefined || message.appended !== undefined) isFirst ? first = text : second = text
      if (message.ended === true || (message.whole === true && message.streaming !== true)) ends++
    }
    t.strictSame([first, second], ['one and the end', 'two and its end'])
  })
}

t.test('a member that is suspended between two pages of what it missed receives the rest in order', async (t) => {
  let reads = 0
  const [page, rights] = [gate(), gate()]
  let isHeld = false
  const server = await chat(t, {
    authenticate,
    authorize: async ({ member: { id }, action }) => {
      if (isHeld && id === 'ada' && action === 'join') await rights.pass()
      return true
    },
    backend: backendWith((works) => ({
      async read (room, query) {
        const read = await works.read(room, query)
        if (query.after !== undefined && ++reads === 2) await page.pass()
        return read
      }
    }))
  })
  const bob = await server.member({ token: 'bob' }, 'a')
  const start = await server.app.chat.publish('a', { text: 'start' })
  const missed = Array.from({ length: 40 }, (_, i) => `${i}`.padEnd(8 * 1024))
  for (const text of missed) await server.app.chat.publish('a', { text })
  const ada = await server.member({ token: 'ada' })
  const { messages } = await ada.join('a', { after: start })
  await page.reached
  isHeld = true
  await server.app.chat.reauthorize({ member: 'ada' })
  await rights.reached
  page.open()
  await server.app.chat.publish('a', { text: 'later' })
  await bob.upTo('later')
  const early = texts(messages)
  // What was written before the suspension arrives before the pong.
  ada.say({ type: 'ping', id: 'i' })
  for (let message = await ada.next(); message.type !== 'pong'; message = await ada.next()) early.push(...texts([message]))
  t.ok(early.length < missed.length)
  rights.open()
  t.strictSame([...early, ...texts(await ada.upTo('later'))], missed)
})
