import { once } from 'node:events'
import { mock } from 'node:test'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { WebSocketServer, type WebSocket } from 'ws'
import { memory } from '../../src/drivers/memory/backend.ts'
import { ChatClient, type ChatClientOptions, type ClientRoom, type ClientSocket } from '../../src/client/node.ts'
import { connectSocket } from '../../src/client/connection/socket.ts'
import { CloseCode, isTerminal } from '../../src/protocol.ts'
import type { FastifyChatOptions } from '../../src/index.ts'
import { connect as inject } from '../../src/testing.ts'
import { build, listen } from '../support/app.ts'
import { chatClient, fixJitter, nextEvent, next, state } from '../support/chat-client.ts'
import { fakeServer, joined, message, welcome } from '../support/fake-server.ts'
import { proxy, type Proxy } from '../support/proxy.ts'
import { tick } from '../support/tick.ts'

async function serve (t: Test, options: FastifyChatOptions = {}) {
  const app = await build(t, options)
  const port = await listen(app)
  return { app, port, network: await proxy(t, port) }
}

/** Breaks the connections, and refuses new ones until `target` is set. Resolves when the client waits for its next attempt. */
async function disconnect (client: ChatClient, network: Proxy): Promise<void> {
  network.target = undefined
  const away = next(client, 'waiting')
  network.cut()
  await away
}

/** Publishes a message every 2 ms, and one at each `publish`, until it is stopped. */
function publisher (t: Test, { chat }: FastifyInstance): { readonly published: string[], publish (): void, stop (): Promise<void> } {
  const published: string[] = []
  const publish = () => {
    const text = `published ${published.length}`
    published.push(text)
    chat.publish('lobby', { text }).catch(t.error)
  }
  const timer = setInterval(publish, 2)
  t.teardown(() => clearInterval(timer))
  return {
    published,
    publish,
    async stop () {
      clearInterval(timer)
      await chat.publish('lobby', { text: 'end' })
    }
  }
}

function receive (t: Test, room: ClientRoom, received: string[]): Promise<unknown> {
  room.on('joined', ({ again, complete, messages }) => {
    t.ok(complete)
    if (again) for (const { text = '' } of messages) received.push(text)
  })
  room.on('message', ({ text = '' }) => received.push(text))
  return new Promise<void>((resolve) => {
    const check = () => { if (received.at(-1) === 'end') resolve() }
    room.on('joined', check)
    room.on('message', check)
  })
}

t.test('disconnects and half-open connections lose or duplicate no message in steady traffic', async (t) => {
  const { app, network } = await serve(t, { backend: memory({ historyEntries: 100_000 }) })
  const client = chatClient(t, network.port, { heartbeat: 100 })
  const room = await client.join('lobby')
  const received: string[] = []
  const all = receive(t, room, received)
  const iterated: string[] = []
  const iteration = (async () => { for await (const { text = '' } of room) iterated.push(text) })()

  const { published, publish, stop } = publisher(t, app)
  const posts: Array<Promise<string>> = []
  for (let round = 0; round < 20; round++) {
    const until = received.length + 50
    while (received.length < until) await nextEvent(room, 'message')
    const back = next(client, 'online')
    // Two posts: one in flight when the connection breaks, one while offline.
    posts.push(room.post(`post ${posts.length}`))
    if (round % 2 === 0) network.cut()
    else network.freeze()
    publish()
    posts.push(room.post(`post ${posts.length}`))
    await back
  }
  await Promise.all(posts)
  await stop()
  await all
  client.close()
  await iteration

  t.same(received.filter((text) => text.startsWith('published')), published)
  t.same(received.filter((text) => text.startsWith('post')), posts.map((_, i) => `post ${i}`))
  t.same(iterated, received)
  t.comment(`${published.length} published; ${posts.length} posted, each stored once`)
})

t.test('clients killed in steady traffic resume from the stored position, ten times over', async (t) => {
  const { app, network } = await serve(t, { backend: memory({ historyEntries: 100_000 }) })
  const received: string[] = []
  const { published, publish, stop } = publisher(t, app)
  let session: string | undefined
  let after: string | undefined = (await app.chat.history('lobby', { limit: 1 })).head.position
  let all: Promise<unknown> | undefined
  for (let round = 0; round < 11; round++) {
    const client = chatClient(t, network.port, { session })
    const room: ClientRoom = await client.join('lobby', { after })
    all = receive(t, room, received)
    const until = received.length + 50
    while (received.length < until) await nextEvent(room, 'message')
    if (round === 10) continue
    ;({ session } = await state(client, 'online'))
    after = room.position
    client.close()
    network.cut()
    publish()
  }
  await stop()
  await all
  t.same(received, [...published, 'end'])
})

t.test('a post whose ack was lost is resent with its first position and delivered once', async (t) => {
  const { app, network } = await serve(t)
  const room = await chatClient(t, network.port).join('lobby')
  const other = await chatClient(t, network.port).join('lobby')
  await other.post('before')
  const stored = new Promise((resolve) => { app.chat.subscribe('lobby', resolve).catch(t.error) })
  network.silence()
  const again = nextEvent(room, 'joined', ({ again }) => again)
  const position = room.post('once')
  await stored
  network.cut()
  t.match(await again, { complete: true })
  const { entries } = await app.chat.history('lobby')
  t.same(entries.map(({ text }) => text), ['before', 'once'])
  t.equal(await position, entries[1]!.position)
})

t.test('a resent post has the same id and the position of its first attempt', async (t) => {
  const { port, requests } = await fakeServer(t, ({ type, room }, connection) => {
    if (type === 'join' && connection > 1) return [joined(room, { position: `p${connection}` })]
    return type === 'post' && connection < 3 ? (socket) => socket.terminate() : undefined
  })
  const room = await chatClient(t, port).join('lobby')
  const data = { mood: 'good' }
  const post = room.post('hello', data)
  data.mood = 'bad'
  await post
  const [first, ...repeats] = requests.filter(({ type }) => type === 'post')
  t.notOk('since' in first!)
  t.same(repeats, [{ ...first, since: 'p0' }, { ...first, since: 'p0' }])
  t.same(first!['data'], { mood: 'good' })
})

t.test('a replaced socket delivers no more events', async (t) => {
  // A socket of the test before has a timer of 30 s until it is closed, which a mocked clearTimeout would leave.
  while (process.getActiveResourcesInfo().includes('TCPSocketWrap')) await tick()
  const sockets: WebSocket[] = []
  const { port } = await fakeServer(t, ({ type, room }, connection) => type === 'join'
    ? (socket) => {
        sockets.push(socket)
        socket.send(JSON.stringify(joined(room)))
      }
    : type === 'ping' && connection === 1 ? [] : undefined)
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const client = chatClient(t, port, { heartbeat: 50 })
  const room = await client.join('lobby')
  room.on('message', ({ text }) => t.equal(text, 'new'))
  const again = nextEvent(room, 'joined', ({ again }) => again)
  const waiting = next(client, 'waiting')
  mock.timers.tick(50)
  mock.timers.tick(50)
  mock.timers.tick((await waiting).retryIn)
  await again
  sockets[0]!.send(JSON.stringify(message('lobby', 'p1', 'old')))
  const heardNew = nextEvent(room, 'message')
  sockets[1]!.send(JSON.stringify(message('lobby', 'p1', 'new')))
  await heardNew
})

t.test('a half-open connection is detected without traffic', async (t) => {
  const { network } = await serve(t)
  const client = chatClient(t, network.port, { heartbeat: 50 })
  await state(client, 'online')
  network.freeze()
  t.match(await next(client, 'waiting'), { code: 1006, reason: 'no answer to a ping' })
  await state(client, 'online')
})

t.test('after a server lost its data, sent posts are stale and unsent ones are stored', async (t) => {
  const { app: before, network } = await serve(t)
  const client = chatClient(t, network.port)
  const room = await client.join('lobby')
  await room.post('old')
  const stored = new Promise((resolve) => { before.chat.subscribe('lobby', resolve).catch(t.error) })
  network.silence()
  const inDoubt = t.rejects(room.post('in doubt'), { code: 'stale_post' })
  await stored
  await disconnect(client, network)
  const unsent = room.post('not sent yet')
  const again = nextEvent(room, 'joined', ({ again }) => again)
  const { app: after, port } = await serve(t)
  network.target = port
  t.match(await again, { complete: false })
  await inDoubt
  await unsent
  const { entries } = await after.chat.history('lobby')
  t.same(entries.map(({ text }) => text), ['not sent yet'])
})

t.test('posts made offline are sent in order on reconnect, and can be refused then', async (t) => {
  const { app, port, network } = await serve(t, {
    prePost: (draft) => {
      if (draft.text === 'bad') throw new Error('not here')
      return draft
    }
  })
  const client = chatClient(t, network.port)
  const room = await client.join('lobby')
  await disconnect(client, network)
  const posts = ['one', 'bad', 'two'].map((text) => room.post(text))
  const refused = t.rejects(posts[1]!, { code: 'refused', message: /not here/ })
  await t.rejects(room.history('x'), { code: 'offline' })
  network.target = port
  await Promise.all([posts[0], posts[2], refused])
  const { entries } = await app.chat.history('lobby')
  t.same(entries.map(({ text }) => text), ['one', 'two'])
})

t.test('a join made offline is sent on reconnect', async (t) => {
  const { port, network } = await serve(t)
  network.target = undefined
  const client = chatClient(t, network.port)
  await state(client, 'waiting')
  const room = client.join('lobby')
  network.target = port
  t.equal((await room).name, 'lobby')
})

t.test('a room that is refused after a reconnect ends and rejects its posts', async (t) => {
  let allowed = true
  const { network } = await serve(t, { authorize: ({ action }) => action !== 'join' || allowed })
  const client = chatClient(t, network.port)
  const room = await client.join('lobby')
  allowed = false
  const iteration = t.rejects((async () => { for await (const { text } of room) t.fail(String(text)) })(), { code: 'forbidden' })
  const left = nextEvent(room, 'left')
  network.silence()
  const post = t.rejects(room.post('lost'), { code: 'unknown' }, 'the post may be stored')
  network.cut()
  t.match(await left, { code: 'forbidden' })
  await Promise.all([iteration, post])
  await t.rejects(room.post('late'), { code: 'forbidden' })
})

t.test('a left without a request ends the room', async (t) => {
  const { port } = await fakeServer(t, ({ type, room }) => type === 'typing' ? [{ type: 'left', room }] : undefined)
  const client = chatClient(t, port)
  const room = await client.join('lobby')
  const left = nextEvent(room, 'left')
  room.typing()
  t.match(await left, { code: 'not_joined' })
  t.not(await client.join('lobby'), room)
})

t.test('a post in flight when its room is left resolves or rejects with its true outcome', async (t) => {
  await t.test('acknowledged', async (t) => {
    const { network } = await serve(t)
    const room = await chatClient(t, network.port).join('lobby')
    const post = room.post('bye')
    room.leave()
    t.ok(await post)
  })
  await t.test('lost: unknown', async (t) => {
    const { network } = await serve(t)
    const room = await chatClient(t, network.port).join('lobby')
    network.silence()
    const post = t.rejects(room.post('bye'), { code: 'unknown' })
    room.leave()
    network.cut()
    await post
  })
  await t.test('never sent: left', async (t) => {
    const { network } = await serve(t)
    const client = chatClient(t, network.port)
    const room = await client.join('lobby')
    await disconnect(client, network)
    const post = t.rejects(room.post('bye'), { code: 'left' })
    room.leave()
    await post
  })
})

t.test('a history request rejects when the connection breaks', async (t) => {
  const { network } = await serve(t)
  const room = await chatClient(t, network.port).join('lobby')
  network.silence()
  const page = t.rejects(room.history(room.position!), { code: 'offline' })
  network.cut()
  await page
})

t.test('a post with an unknown outcome is not resent as another member', async (t) => {
  let people = 0
  const { app, network } = await serve(t, { authenticate: () => ({ id: `member ${++people}` }) })
  const room = await chatClient(t, network.port).join('lobby')
  const stored = new Promise((resolve) => { app.chat.subscribe('lobby', resolve).catch(t.error) })
  network.silence()
  const post = t.rejects(room.post('once'), { code: 'stale_post' })
  await stored
  network.cut()
  await post
  t.equal((await app.chat.history('lobby')).entries.length, 1)
})

t.test('the delay doubles up to maxDelay and is randomized between zero and itself', async (t) => {
  fixJitter(t, 1)
  const client = new ChatClient('ws://nowhere', { connect: () => Promise.reject(new Error('no network')), minDelay: 1, maxDelay: 8 })
  t.teardown(() => client.close())
  const waits: number[] = []
  await new Promise<void>((resolve) => client.on('status', (status) => {
    if (status.state !== 'waiting') return
    t.match(status, { code: 1006, reason: 'Error: no network' })
    if (waits.push(status.retryIn) === 6) resolve()
  }))
  t.same(waits, [1, 2, 4, 8, 8, 8])
})

t.test('a reconnect delay from the server is kept and spread over twice its length', async (t) => {
  fixJitter(t, 0.5)
  await t.test('draining', async (t) => {
    const { port } = await fakeServer(t, ({ type }, connection) => type === 'hello' && connection === 1
      ? (socket) => {
          for (const said of [welcome, { type: 'draining', reconnectIn: 20 }]) socket.send(JSON.stringify(said))
          socket.close(1001, 'a restart')
        }
      : undefined)
    const client = chatClient(t, port)
    t.match(await next(client, 'waiting'), { retryIn: 30, code: 1001, reason: 'a restart' })
    await state(client, 'online')
  })
  await t.test('a negative delay falls back to minDelay', async (t) => {
    for (const reconnectIn of [-1, -1e12]) {
      const { port } = await fakeServer(t, ({ type }) => type === 'hello'
        ? (socket) => {
            socket.send(JSON.stringify({ type: 'draining', reconnectIn }))
            socket.close(1001)
          }
        : undefined)
      const client = chatClient(t, port, { minDelay: 10 })
      t.match(await next(client, 'waiting'), { retryIn: 5, code: 1001 })
    }
  })
  await t.test("a delay beyond a timer's range is clamped", async (t) => {
    const { port } = await fakeServer(t, ({ type }) => type === 'hello'
      ? (socket) => {
          for (const said of [welcome, { type: 'draining', reconnectIn: 1e14 }]) socket.send(JSON.stringify(said))
          socket.close(1001)
        }
      : undefined)
    const client = chatClient(t, port)
    t.match(await next(client, 'waiting'), { retryIn: 2 ** 31 - 1 })
  })
})

for (const code of [...Object.values(CloseCode), 4999]) {
  t.test(`closed with ${code}, the client ${isTerminal(code) ? 'stops and reports the reason' : 'reconnects'}`, async (t) => {
    const { port } = await fakeServer(t, ({ type }, connection) => type === 'join' && connection === 1
      ? (socket) => socket.close(code, 'because')
      : undefined)
    const client = chatClient(t, port)
    const join = client.join('lobby')
    t.match(await next(client, isTerminal(code) ? 'closed' : 'waiting'), { code, reason: 'because' })
    if (!isTerminal(code)) {
      t.equal((await join).name, 'lobby')
      return
    }
    await t.rejects(join, { code: 'closed', message: /because/ })
    await t.rejects(client.join('another'), { code: 'closed' })
  })
}

t.test('a member whose authentication expired reconnects with a fresh token', async (t) => {
  const expiring = { id: 'ada', name: 'Ada' }
  const start = Date.UTC(2030, 0)
  /** Advances a clock that the test holds by `ms`. */
  const hold = (t: Test): (ms: number) => void => {
    mock.timers.enable({ apis: ['Date', 'setTimeout'], now: start })
    t.teardown(() => mock.timers.reset())
    return (ms) => mock.timers.tick(ms)
  }
  const first = { ...expiring, expiresAt: start + 1_000 }
  await t.test('a token function', async (t) => {
    const { network } = await serve(t, { authenticate: (_request, hello) => hello?.token === 'token 1' ? first : expiring })
    const pass = hold(t)
    let asked = 0
    const client = chatClient(t, network.port, { token: () => `token ${++asked}` })
    await state(client, 'online')
    const waiting = next(client, 'waiting')
    pass(1_000)
    const { retryIn, ...expired } = await waiting
    t.match(expired, { code: 4401, reason: 'the authentication has expired' })
    pass(retryIn)
    await state(client, 'online')
    t.equal(asked, 2)
  })
  await t.test('stops when the fresh token is refused', async (t) => {
    const { network } = await serve(t, { authenticate: (_request, hello) => hello?.token === 'token 1' ? first : null })
    const pass = hold(t)
    let asked = 0
    const client = chatClient(t, network.port, { token: () => `token ${++asked}` })
    const states: string[] = []
    client.on('status', ({ state }) => states.push(state))
    await state(client, 'online')
    const waiting = next(client, 'waiting')
    pass(1_000)
    const closed = next(client, 'closed')
    pass((await waiting).retryIn)
    t.match(await closed, { code: 4401, reason: 'not authenticated' })
    t.same(states.slice(-3), ['waiting', 'connecting', 'closed'])
    t.equal(asked, 2)
  })
  await t.test('stops with a constant token', async (t) => {
    const { network } = await serve(t, { authenticate: () => first })
    const pass = hold(t)
    const client = chatClient(t, network.port, { token: 'the only one' })
    await state(client, 'online')
    const closed = next(client, 'closed')
    pass(1_000)
    t.match(await closed, { code: 4401, reason: 'the authentication has expired' })
  })
})

t.test('a client reconnects when authenticate failed, and stops when it was rejected', async (t) => {
  let asked = 0
  const { network } = await serve(t, {
    authenticate (_request, { name = '', token }) {
      if (token === 'wrong') throw Object.assign(new Error('no such token'), { statusCode: 401 })
      if (++asked < 3) throw new Error('the database is away')
      return { id: 'ada', name }
    }
  })
  const client = chatClient(t, network.port, { name: 'ada' })
  t.match(await next(client, 'waiting'), { code: 1013, reason: 'try again later' })
  t.match(await next(client, 'online'), { member: { id: 'ada', name: 'ada' } })
  t.equal(asked, 3)
  t.match(await next(chatClient(t, network.port, { token: 'wrong' }), 'closed'), { code: 4401, reason: 'not authenticated' })
})

t.test('a client whose hello timed out reconnects', async (t) => {
  const { network } = await serve(t, { limits: { handshakeTimeout: 500 } })
  const { WebSocket: Socket } = await import('ws')
  let attempts = 0
  const client = chatClient(t, network.port, {
    connect (url, protocol) {
      const socket = new Socket(url, protocol)
      if (++attempts === 1) socket.send = () => {}
      return socket as unknown as ClientSocket
    }
  })
  t.match(await next(client, 'waiting'), { code: 4408 })
  await state(client, 'online')
})

t.test("a server that doesn't select the subprotocol receives nothing", async (t) => {
  const { WebSocket: Socket } = await import('ws')
  const other = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'another.v1' })
  t.teardown(() => other.close())
  other.on('connection', (socket) => socket.on('message', () => t.fail('the server received a message')))
  await once(other, 'listening')
  const { port, requests } = await fakeServer(t)
  const reason = 'the server did not select the subprotocol fastify-chat.v1'

  await t.test('selects another', async (t) => {
    const client = chatClient(t, (other.address() as { port: number }).port, {
      connect: (url) => new Socket(url, 'another.v1') as unknown as ClientSocket
    })
    t.match(await next(client, 'waiting'), { code: 1006, reason })
  })
  await t.test('selects another, over a socket that is already open', async (t) => {
    const client = chatClient(t, (other.address() as { port: number }).port, {
      async connect (url) {
        const socket = new Socket(url, 'another.v1')
        await once(socket, 'open')
        return socket as unknown as ClientSocket
      }
    })
    t.match(await next(client, 'waiting'), { code: 1006, reason })
  })
  await t.test('selects none', async (t) => {
    const client = chatClient(t, port, { connect: (url) => new Socket(url) as unknown as ClientSocket })
    t.match(await next(client, 'waiting'), { code: 1006, reason })
    t.same(requests, [])
  })
  await t.test('an injected socket without a protocol property is accepted', async (t) => {
    const app = await build(t)
    const client = chatClient(t, port, {
      connect: async (_url, protocol) => (await inject(app, '/chat', { protocol })).socket as unknown as ClientSocket
    })
    t.ok(await (await client.join('lobby')).post('hello'))
    client.close()
  })
})

t.test('in Node the client uses ws even if there is a global WebSocket', async (t) => {
  const { port } = await fakeServer(t)
  t.intercept(globalThis, 'WebSocket', { value: class { constructor () { throw new Error('not this one') } } })
  const client = chatClient(t, port)
  t.equal(await Promise.race([next(client, 'online'), next(client, 'waiting')]).then(({ state }) => state), 'online')
})

t.test("the default entry uses the platform's WebSocket", async (t) => {
  class Platform {
    readonly given: unknown[]
    constructor (...given: unknown[]) { this.given = given }
  }
  t.intercept(globalThis, 'WebSocket', { value: Platform })
  const socket = connectSocket('ws://somewhere', 'fastify-chat.v1')
  t.type(socket, Platform)
  t.match(socket, { given: ['ws://somewhere', 'fastify-chat.v1'] })
})

t.test('a failed handshake is a failed attempt, with or without a close event', async (t) => {
  /** Fails as the WebSocket of Node 22 does. With a code, fails as other implementations do. */
  function failing (code?: number): ClientSocket {
    const socket = Object.assign(new EventTarget(), { readyState: 0, send () {}, close () {} })
    setImmediate(() => {
      socket.dispatchEvent(new Event('error'))
      if (code !== undefined) queueMicrotask(() => socket.dispatchEvent(Object.assign(new Event('close'), { code, reason: 'busy' })))
    })
    return socket as unknown as ClientSocket
  }
  const without = new ChatClient('ws://127.0.0.1:1', { connect: () => failing(), connectTimeout: 1_000 })
  t.teardown(() => without.close())
  t.match(await next(without, 'waiting'), { code: 1006, reason: 'the handshake failed' })
  const withOne = new ChatClient('ws://127.0.0.1:1', { connect: () => failing(1013) })
  t.teardown(() => withOne.close())
  t.match(await next(withOne, 'waiting'), { code: 1013, reason: 'busy' })
})

t.test('heartbeats are at least one second apart, unless the app sets a shorter interval', async (t) => {
  const least = async (heartbeat: number, options: ChatClientOptions = {}) => {
    const { port } = await fakeServer(t, ({ type }) => type === 'hello' ? [{ ...welcome, heartbeat }] : undefined)
    const timers = t.capture(globalThis, 'setTimeout', setTimeout)
    const client = chatClient(t, port, options)
    await state(client, 'online')
    timers.restore()
    client.close()
    return timers().map(({ args }) => args[1])
  }
  for (const heartbeat of [0, -1, 1e-9, 999]) t.ok((await least(heartbeat)).includes(1_000), String(heartbeat))
  t.ok((await least(1_234)).includes(1_234))
  t.ok((await least(0, { heartbeat: 77 })).includes(77))
})

t.test('an invalid number option is rejected by name', (t) => {
  const wrong = { minDelay: [-1, NaN], maxDelay: [-1, NaN], connectTimeout: [0, -1, NaN], queue: [-1, NaN], heartbeat: [0, -1, NaN] }
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      t.throws(() => new ChatClient('ws://nowhere', { [name]: value }), { name: 'RangeError', message: new RegExp(`^${name} must be`) })
    }
    for (const value of ['1', null]) {
      t.throws(() => new ChatClient('ws://nowhere', { [name]: value }), { name: 'TypeError', message: `${name} must be a number` })
    }
    for (const value of [1, Infinity, undefined]) {
      t.doesNotThrow(() => new ChatClient('ws://nowhere', { [name]: value }).close())
    }
  }
  t.end()
})

t.test('the option savedPosts must be saved posts', (t) => {
  for (const savedPosts of [{ add () {} }, true, null]) {
    t.throws(() => new ChatClient('ws://nowhere', { savedPosts: savedPosts as never }), {
      name: 'TypeError',
      message: 'savedPosts must be indexedDBPosts() or savedPosts(store)'
    })
  }
  t.end()
})

const garbage = {
  'invalid JSON': '{',
  'JSON that is not an object': 'null',
  'a message without a type': '{}',
  'a joined without a position': '{"type":"joined","room":"lobby","members":[],"count":1,"messages":[],"complete":true}',
  'an invalid message in a history': '{"type":"history","room":"lobby","before":"p","messages":[{}],"more":false,"complete":true}',
  'a changed without a revision': '{"type":"changed","room":"lobby","position":"p","text":"x"}',
  'a reaction without a count': '{"type":"changed","room":"lobby","position":"p","revision":"r","reactions":[{"reaction":"+1"}]}',
  'reactions that are not a list': '{"type":"changed","room":"lobby","position":"p","revision":"r","reactions":5}',
  'a message without a sender': '{"type":"message","room":"lobby","position":"p","text":"x"}',
  'a text that is a number': '{"type":"message","room":"lobby","position":"p","from":null,"text":5}',
  'a presence without members': '{"type":"presence","room":"lobby","count":1}',
  'a list of features that is text': JSON.stringify({ ...welcome, features: 'changes' }),
  'a list of features that is an object': JSON.stringify({ ...welcome, features: {} }),
  'an infinite heartbeat': JSON.stringify({ ...welcome, heartbeat: '' }).replace('""', '1e999'),
  bytes: Buffer.from([1, 2, 3])
}
for (const [name, said] of Object.entries(garbage)) {
  t.test(`a server that sends ${name} is disconnected and retried`, async (t) => {
    const { port } = await fakeServer(t, ({ type }, connection) => type === 'join' && connection === 1
      ? (socket) => socket.send(said)
      : undefined)
    const client = chatClient(t, port)
    const room = client.join('lobby')
    t.match(await next(client, 'waiting'), { code: 1006, reason: /Error/ })
    t.equal((await room).name, 'lobby')
  })
}

t.test('a delay that is not a finite number counts as 0', async (t) => {
  const { port } = await fakeServer(t, ({ type }, connection) => type === 'join' && connection < 3
    ? (socket) => {
        socket.send(`{"type":"draining","reconnectIn":${connection === 1 ? '1e999' : '"soon"'}}`)
        socket.close(1012)
      }
    : undefined)
  const client = chatClient(t, port, { maxDelay: 10 })
  const room = client.join('lobby')
  for (let i = 0; i < 2; i++) t.ok((await next(client, 'waiting')).retryIn <= 10)
  t.equal((await room).name, 'lobby')
})

t.test('a hello refused with unavailable is retried', async (t) => {
  const { port } = await fakeServer(t, ({ type }, connection) => type === 'hello' && connection === 1
    ? [{ type: 'error', code: 'unavailable', message: 'not now' }]
    : undefined)
  const client = chatClient(t, port)
  t.match(await next(client, 'waiting'), { code: 1006, reason: 'not now' })
  await state(client, 'online')
})

t.test('an attempt that exceeds connectTimeout is abandoned', async (t) => {
  await t.test('a server that never answers', async (t) => {
    const { port } = await fakeServer(t, ({ type }, connection) => type === 'hello' && connection === 1 ? [] : undefined)
    const client = chatClient(t, port, { connectTimeout: 50 })
    t.match(await next(client, 'waiting'), { code: 1006, reason: 'no welcome within 50 ms' })
  })
  await t.test('a connect that never settles; its late socket is closed', async (t) => {
    const { port, server } = await fakeServer(t)
    let late: ((socket: ClientSocket) => void) | undefined
    const { WebSocket: Socket } = await import('ws')
    const client = chatClient(t, port, {
      connectTimeout: 50,
      connect: (url, protocol) => late === undefined
        ? new Promise((resolve) => { late = resolve })
        : new Socket(url, protocol) as unknown as ClientSocket
    })
    await state(client, 'waiting')
    const [, connected] = await Promise.all([state(client, 'online'), once(server, 'connection')])
    t.ok(connected)
    const socket = new Socket(`ws://127.0.0.1:${port}`, 'fastify-chat.v1')
    const closed = new Promise((resolve) => socket.once('close', resolve))
    late!(socket as unknown as ClientSocket)
    await closed
  })
  await t.test('a socket that was closed before connect returned it', async (t) => {
    const { WebSocket: Socket } = await import('ws')
    const { port } = await fakeServer(t)
    const dead = new Socket(`ws://127.0.0.1:${port}`)
    await once(dead, 'open')
    dead.terminate()
    await once(dead, 'close')
    let attempts = 0
    const client = chatClient(t, port, {
      connect: (url, protocol) => (++attempts === 1 ? dead : new Socket(url, protocol)) as unknown as ClientSocket
    })
    t.match(await next(client, 'waiting'), { code: 1006 })
    await state(client, 'online')
  })
})

t.test('reconnect() skips the delay, and does nothing when not waiting', async (t) => {
  const { port, network } = await serve(t)
  network.target = undefined
  fixJitter(t, 1)
  const client = chatClient(t, network.port, { minDelay: 1e9, maxDelay: 1e9 })
  await state(client, 'waiting')
  network.target = port
  client.reconnect()
  t.equal(client.status.state, 'connecting')
  client.reconnect()
  await state(client, 'online')
  client.reconnect()
  t.equal(client.status.state, 'online')
  client.close()
  client.reconnect()
  t.match(client.status, { state: 'closed', code: 1000 })
})

t.test('requests on a closing socket are resent on the next one or rejected', async (t) => {
  const { port, requests } = await fakeServer(t)
  const { WebSocket: Socket } = await import('ws')
  const sockets: WebSocket[] = []
  const client = chatClient(t, port, {
    connect (url, protocol) {
      const socket = new Socket(url, protocol)
      sockets.push(socket)
      return socket as unknown as ClientSocket
    }
  })
  const room = await client.join('lobby')
  sockets[0]!.close()
  const post = room.post('hello')
  await t.rejects(room.history('p'), { code: 'offline' })
  await post
  const posts = requests.filter(({ type }) => type === 'post')
  t.equal(posts.length, 1)
  t.notOk('since' in posts[0]!, 'it was not sent before')
})

t.test('posts made while the store is unavailable stay behind the refused ones', async (t) => {
  let able = false
  const stored: unknown[] = []
  const { port } = await fakeServer(t, ({ type, id, text, room, before }) => {
    if (type === 'history') return [{ type, room, before, messages: [], more: false, complete: true }]
    if (type !== 'post') return undefined
    if (able) return stored.push(text) > 0 ? undefined : []
    return [{ type: 'error', code: text === 'one' ? 'unavailable' : 'unknown', message: 'not now', id, room }]
  })
  fixJitter(t, 1)
  const room = await chatClient(t, port, { minDelay: 200, maxDelay: 200 }).join('lobby')
  const posts = ['one', 'two'].map((text) => room.post(text))
  // The answer to this request follows the refusals.
  await room.history('p')
  able = true
  await Promise.all([...posts, room.post('three')])
  t.same(stored, ['one', 'two', 'three'])
})
