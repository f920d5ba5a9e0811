import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { ChatClient, type ChatClientOptions } from '../../src/client/node.ts'
import { build, listen } from '../support/app.ts'
import { chatClient, nextEvent, state } from '../support/chat-client.ts'

const wrong = ['', '/chat', 'chat', 'localhost:3000/chat', 'ftp://localhost/chat', 'ws://', 'ws://localhost:port/', 'wss://localhost/chat#top', 'ws://localhost/chat#']

t.test('an invalid URL is rejected by name, without its text', (t) => {
  for (const url of wrong) {
    t.throws(() => new ChatClient(url), new TypeError('url must be a ws:, wss:, http: or https: URL without a fragment'), url)
  }
  t.throws(() => new ChatClient(undefined as unknown as string), TypeError)
  t.end()
})

t.test('an http URL becomes a ws URL, and a custom connect receives any string unchanged', async (t) => {
  const port = await listen(await build(t))
  const online = new ChatClient(`HTTP://127.0.0.1:${port}/chat`)
  t.teardown(() => online.close())
  await state(online, 'online')
  for (const url of wrong) {
    const given = await new Promise((resolve) => {
      const client = new ChatClient(url, { connect: (url) => { resolve(url); return Promise.reject(new Error('none')) }, minDelay: 1e9, maxDelay: 1e9 })
      t.teardown(() => client.close())
    })
    t.equal(given, url)
  }
})

t.test('in a page, a relative URL is resolved with the address of the page', async (t) => {
  const port = await listen(await build(t))
  t.intercept(globalThis, 'location' as never, { value: { href: `http://127.0.0.1:${port}/rooms/tea?x#y` }, configurable: true } as never)
  for (const url of ['/chat', '../chat', `//127.0.0.1:${port}/chat`]) {
    const client = new ChatClient(url)
    t.teardown(() => client.close())
    await state(client, 'online')
  }
  t.throws(() => new ChatClient('/chat#top'), TypeError)
})

t.test('client.member is the member of the last welcome', async (t) => {
  const client = chatClient(t, await listen(await build(t)), { name: 'ada' })
  t.equal(client.member, undefined)
  const { member } = await state(client, 'online')
  t.equal(client.member, member)
  t.equal(member.name, 'ada')
  client.close()
  t.equal(client.member, member)
})

t.test('listeners', async (t) => {
  const app = await build(t)
  const client = chatClient(t, await listen(app))
  const room = await client.join('lobby')
  const seen: string[] = []
  const always = ({ text }: { text?: string }) => seen.push(`on ${text}`)
  const one = ({ text }: { text?: string }) => seen.push(`once ${text}`)
  const publish = async (text: string) => {
    const received = nextEvent(room, 'message', (message) => message.text === text)
    await app.chat.publish('lobby', { text })
    await received
  }

  await t.test('once receives one event, as a promise too', async (t) => {
    room.on('message', always)
    room.once('message', one)
    const promise = room.once('message')
    await publish('a')
    await publish('b')
    t.strictSame(seen.splice(0), ['on a', 'once a', 'on b'])
    t.equal((await promise).text, 'a')
  })
  await t.test('off removes both kinds, and ignores other functions', async (t) => {
    room.once('message', one)
    room.off('message', one)
    room.off('message', () => {})
    room.once('message', one)()
    room.off('message', always)
    await publish('c')
    t.strictSame(seen, [])
  })
  await t.test('once replays the events before the first listener', async (t) => {
    const later = await client.join('later')
    await app.chat.publish('later', { text: 'kept' })
    t.equal((await later.once('message')).text, 'kept')
  })
  await t.test('once rejects an unknown event', async (t) => {
    t.throws(() => room.once('mesage' as 'message', one), /event 'mesage' does not exist/)
    await t.rejects(room.once('mesage' as 'message'), /event 'mesage' does not exist/)
    t.throws(() => room.once('message', 1 as unknown as () => void), TypeError)
  })
})

t.test('room.members is replaced at each change', async (t) => {
  const port = await listen(await build(t))
  const room = await chatClient(t, port, { name: 'ada' }).join('lobby')
  const alone = room.members
  const other = chatClient(t, port, { name: 'bob' })
  const arrived = nextEvent(room, 'presence')
  await other.join('lobby')
  await arrived
  const both = room.members
  t.not(both, alone)
  t.strictSame([alone.size, both.size], [1, 2])
  const departed = nextEvent(room, 'presence')
  other.close()
  await departed
  t.strictSame([alone.size, both.size, room.members.size], [1, 2, 1])
})

t.test('a block with using leaves the room and closes the client', async (t) => {
  const client = chatClient(t, await listen(await build(t)))
  const room = await client.join('lobby')
  room[Symbol.dispose]()
  await t.rejects(room.post('late'), { code: 'left' })
  client[Symbol.dispose]()
  t.match(client.status, { state: 'closed', code: 1000 })
  t.match(inspect(client), /^ChatClient/)
})

t.test('the session', async (t) => {
  const port = await listen(await build(t))
  const key = `fastify-chat ws://127.0.0.1:${port}/chat`

  /** Resolves with the id of the member of a client with these options. */
  async function idWith (t: Test, session: ChatClientOptions['session']): Promise<string> {
    const client = chatClient(t, port, { session })
    const { member } = await state(client, 'online')
    client.close()
    return member.id
  }

  await t.test('is kept in a storage under the URL', async (t) => {
    const kept = new Map<string, string>()
    const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => { kept.set(key, value) } }
    const id = await idWith(t, storage)
    t.strictSame([...kept.keys()], [key])
    t.equal(await idWith(t, storage), id)
    t.equal(await idWith(t, kept.get(key)), id, 'the value is the session')
    t.not(await idWith(t, undefined), id)
  })
  await t.test('is kept in a storage with promises', async (t) => {
    let kept: string | undefined
    const storage = { getItem: async () => kept, setItem: async (_key: string, value: string) => { kept = value } }
    const id = await idWith(t, storage)
    t.equal(await idWith(t, storage), id)
  })
  await t.test('is not kept by a storage that fails', async (t) => {
    const denied = () => { throw new Error('denied') }
    const rejects = () => Promise.reject(new Error('denied'))
    t.type(await idWith(t, { getItem: denied, setItem: denied }), 'string')
    t.type(await idWith(t, { getItem: rejects, setItem: rejects }), 'string')
  })
  await t.test('is removed when the server refuses it', async (t) => {
    let kept = 'no session'
    const storage = { getItem: () => kept, setItem: (_key: string, value: string) => { kept = value } }
    const client = chatClient(t, port, { session: storage })
    t.match(await state(client, 'closed'), { code: 4400 })
    t.equal(kept, '')
    await idWith(t, storage)
    t.match(kept, /^[\w-]{43}$/)
    const session = kept
    t.match(await state(chatClient(t, port, { session: storage, name: 'a\nb' }), 'closed'), { code: 4400 })
    t.equal(kept, session, 'a wrong name removes no session')
  })
})
