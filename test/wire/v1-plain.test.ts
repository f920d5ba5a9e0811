import t from 'tap'
import { chat } from '../support/chat-app.ts'

t.test('plain and v1 members share a room: text, names, binary as base64', async (t) => {
  const { member, plain, app } = await chat(t)
  const ada = await member({ name: 'ada' }, 'lobby')
  const nameless = await member({}, 'lobby')
  const bob = await plain('?name=bob')
  await ada.posted('lobby', 'grüße 👋', { data: { only: 'v1' } })
  t.equal(await bob.next(), 'ada: grüße 👋')
  await nameless.expect('message')
  bob.socket.send('"quoted"')
  t.equal(await bob.next(), 'bob: "quoted"')
  t.match(await ada.next(), { type: 'message', text: '"quoted"', from: { name: 'bob', id: String }, room: 'lobby' })
  for (const bytes of [Buffer.from([0, 255, 128]), Buffer.alloc(0)]) {
    bob.socket.send(bytes)
    t.strictSame(await bob.next(), bytes)
    const message = await ada.expect('message')
    t.equal(message.bytes, bytes.toString('base64'))
    t.notOk('text' in message)
  }
  await nameless.upTo('"quoted"')
  await nameless.take(2)
  await nameless.posted('lobby', 'x')
  t.equal(await bob.next(), 'x')
  await ada.expect('message')
  await app.chat.publish('lobby', { text: 'from the app' })
  t.equal(await bob.next(), 'from the app')
  t.match(await ada.next(), { type: 'message', text: 'from the app', from: null })
})

t.test('text that looks like a protocol message is plain text for a plain client', async (t) => {
  const { member, plain } = await chat(t)
  const ada = await member({}, 'lobby')
  const bob = await plain()
  const text = '{"type":"post","room":"lobby","text":"x","id":"i"}'
  bob.socket.send(text)
  t.equal(await bob.next(), text)
  t.match(await ada.next(), { type: 'message', text })
})

t.test('a plain client with self=0 receives all other messages in order', async (t) => {
  const { member, plain } = await chat(t)
  const ada = await member({ name: 'ada' }, 'lobby')
  const deaf = await plain('?self=0')
  for (let i = 0; i < 20; i++) {
    deaf.socket.send(`mine ${i}`)
    ada.post('lobby', `${i}`)
  }
  for (let i = 0; i < 20; i++) t.equal(await deaf.next(), `ada: ${i}`)
})

t.test('a plain client receives the history of v1 members', async (t) => {
  const { member, plain } = await chat(t)
  const ada = await member({ name: 'ada' }, 'lobby')
  for (let i = 0; i < 5; i++) await ada.posted('lobby', `${i}`)
  const bob = await plain('?history=2')
  t.strictSame([await bob.next(), await bob.next()], ['ada: 3', 'ada: 4'])
})

t.test('plain members of a cleared room receive its later messages', async (t) => {
  const { member, plain, app } = await chat(t)
  const bob = await plain()
  const ada = await member({ name: 'ada' }, 'lobby')
  await ada.posted('lobby', 'before')
  t.equal(await bob.next(), 'ada: before')
  await app.chat.clear('lobby')
  t.match(await ada.next(), { type: 'joined', complete: false })
  await ada.posted('lobby', 'after')
  t.equal(await bob.next(), 'ada: after')
})
