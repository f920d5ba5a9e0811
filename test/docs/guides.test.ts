import t from 'tap'
import type { ChatClient } from '../../src/client/index.ts'
import { chatClient, nextEvent } from '../support/chat-client.ts'
import { openTab, skip as skipBrowser } from '../support/chromium.ts'
import { build, listen } from '../support/app.ts'
import { blocksOf } from '../support/markdown.ts'
import { anyPort, serverAt, snippet, type Instead } from '../support/snippet.ts'
import { open } from '../support/websocket-client.ts'

const folder = t.testdir()

t.test('API.md, Registering: two chats with rooms of their own', async (t) => {
  const port = await snippet(folder, 'docs/API.md', 'Registering')(t, anyPort).port()
  const [support, staff] = [await open(t, `ws://127.0.0.1:${port}/support/chat`), await open(t, `ws://127.0.0.1:${port}/staff/chat`)]
  for (const { next } of [support, staff]) await next()
  staff.socket.send('for the staff')
  t.equal(await staff.next(), 'for the staff')
  support.socket.send('a question')
  t.equal(await support.next(), 'a question')
  t.equal((await fetch(`http://127.0.0.1:${port}/support/demo/`)).status, 200)
  t.equal((await fetch(`http://127.0.0.1:${port}/staff/demo/`)).status, 404)
})

t.test('API.md, Hooks: each is called, and may refuse', async (t) => {
  const start = snippet(folder, 'docs/API.md', 'Hooks')
  const server = start(t)
  const client = chatClient(t, await server.port(), { name: 'grace' })
  const room = await client.join('tea')
  const message = nextEvent(room, 'message')
  await room.post('Good morning.', { mood: 'glad' })
  t.match(await message, { from: { id: 'u1', name: 'Ada' }, text: 'Good morning.', data: { mood: 'glad' } })
  await server.printed(/"room":"tea","position":"[^"]+","text":"Good morning\.","msg":"stored"/)
  await t.rejects(room.post('Good morning.', { mood: 1 }), { code: 'invalid' })
  await t.rejects(room.post(''), { code: 'refused', message: 'an empty message' })
  await t.rejects((await client.join('announcements')).post('I have news.'), { code: 'forbidden' })
  await server.printed(/"member":{"id":"u1",.*"room":"tea","msg":"joined"}/)
  client.close()
  await server.printed(/"member":{"id":"u1",.*"room":"tea","msg":"left"}/)

  const { closed } = await open(t, `ws://127.0.0.1:${await start(t, ['3_600_000', '0']).port()}/chat`)
  t.match(await closed, { code: 4401 }, 'an identity that has expired')
})

t.test('API.md, Errors: the program runs', async (t) => {
  const server = snippet(folder, 'docs/API.md', 'Errors')(t)
  await server.port()
  t.match(await server.end('SIGTERM'), { code: 0 })
})

t.test('CLIENT.md: the client logs its status, the members and the messages', async (t) => {
  const port = await listen(await build(t))
  const grace = await chatClient(t, port, { name: 'grace' }).join('tea')
  const posted = nextEvent(grace, 'message')
  const ada = snippet(folder, 'docs/CLIENT.md', 'The client')(t, serverAt(port))
  await ada.printed(/^online$/m)
  t.match(await posted, { from: { name: 'ada' }, text: 'Good morning.' })

  // Bob joins after the post, so his arrival shows that the program's loop runs.
  await ada.printed(/^ada Good morning\.$/m)
  const bob = await chatClient(t, port, { name: 'bob' }).join('tea')
  await ada.printed(/^3 \[[^\]]*'bob'/m)
  await bob.post('Good day.')
  await ada.printed(/^bob Good day\.$/m)
})

t.test('CLIENT.md, Timeline: the program shows its post and the messages', async (t) => {
  const port = await listen(await build(t))
  const grace = await chatClient(t, port, { name: 'grace' }).join('tea')
  await grace.post('Hello.')
  const ada = snippet(folder, 'docs/CLIENT.md', 'Timeline')(t, serverAt(port))
  await ada.printed(/^grace: Hello\.\nada: Good morning\.$/m)
  await grace.post('Good day.')
  await ada.printed(/^ada: Good morning\.\ngrace: Good day\.$/m)
})

t.test('CLIENT.md, In a browser: the page imports the client and shows messages', { skip: skipBrowser }, async (t) => {
  const html = blocksOf('docs/CLIENT.md').find(({ info }) => info === 'html')!.source
  const served = `app.get('/', (request, reply) => reply.type('text/html').send(${JSON.stringify(html)}))\nawait app.register(fastifyStatic`
  const chat = "import fastifyChat from 'fastify-chat'\nawait app.register(fastifyChat)\nimport fastifyStatic"
  const port = await snippet(folder, 'docs/CLIENT.md', 'In a browser')(t, ['await app.register(fastifyStatic', served], ['import fastifyStatic', chat]).port()
  const page = await openTab(t)
  const room = await chatClient(t, port, { name: 'grace' }).join('tea')
  await room.post('Good morning.')
  await page.goto(`http://127.0.0.1:${port}/`)
  await page.getByText('grace: Good morning.').waitFor()
  await room.post('Good day.')
  await page.getByText('grace: Good day.').waitFor()
})

const tests = ['two members talk', 'pages of other sites are refused', 'a member posts under the name that the app assigned']

for (const [at, what] of tests.entries()) {
  t.test(`TESTING.md: the test '${what}' passes`, async (t) => {
    const { code, output } = await snippet(folder, 'docs/TESTING.md', 'Testing an app', at)(t).ended
    t.match(output, what)
    t.equal(code, 0, output)
  })
}

t.test('PRIVATE-ROOMS.md, Who may join: members of the table, until they are removed', async (t) => {
  const route = "app.delete('/members/bob', async () => { await remove('team-7', 'bob') })\nawait app.listen("
  const port = await snippet(folder, 'docs/PRIVATE-ROOMS.md', 'Who may join')(t, anyPort, ['await app.listen(', route]).port()
  const [ada, bob, eve] = ['ada', 'bob', 'eve'].map((token) => chatClient(t, port, { token })) as [ChatClient, ChatClient, ChatClient]
  const [adasRoom, bobsRoom] = [await ada.join('team-7'), await bob.join('team-7')]
  await t.rejects(eve.join('team-7'), { code: 'forbidden' })
  await t.rejects(ada.join('team-8'), { code: 'forbidden' })
  const position = await adasRoom.post('Good morning.')
  await t.rejects(bobsRoom.delete(position), { code: 'forbidden' })

  const left = nextEvent(bobsRoom, 'left')
  await fetch(`http://127.0.0.1:${port}/members/bob`, { method: 'DELETE' })
  t.match(await left, { code: 'removed' })
  await t.rejects(bob.join('team-7'), { code: 'forbidden' })
  await adasRoom.delete(position)
})

t.test('PRIVATE-ROOMS.md, Direct conversations: both people find one name', async (t) => {
  const both = "console.log('room', directRoom('bob', 'ada') === room, room, directRoom('a-b', 'c') === directRoom('a', 'b-c'))\nawait app.chat.send"
  const program = snippet(folder, 'docs/PRIVATE-ROOMS.md', 'Direct conversations')(t, ['await app.chat.send', both])
  const [, room = ''] = await program.printed(/^room true (\S+) false$/m)
  t.match(room, /^dm:[\w-]{43}$/)
  await program.port()
})

t.test('PRIVATE-ROOMS.md, Unread messages: the sum of the rooms of the table', async (t) => {
  const authenticated: Instead = ['register(fastifyChat)', 'register(fastifyChat, { authenticate: (request, { token }) => ({ id: token }) })']
  const port = await snippet(folder, 'docs/PRIVATE-ROOMS.md', 'Unread messages')(t, authenticated).port()
  const [ada, bob] = ['ada', 'bob'].map((token) => chatClient(t, port, { token })) as [ChatClient, ChatClient]
  for (const name of ['team-7', 'team-8']) {
    await (await ada.join(name)).post('A post moves the read position.')
    const room = await bob.join(name)
    for (const text of ['one', 'two']) await room.post(text)
  }
  t.equal(await (await fetch(`http://127.0.0.1:${port}/unread`)).json(), 2)
})

t.test('OBSERVABILITY.md: metrics and a health route', async (t) => {
  const port = await snippet(folder, 'docs/OBSERVABILITY.md', 'Metrics and health')(t).port()
  await (await open(t, `ws://127.0.0.1:${port}/chat`)).next()
  const metrics = await fetch(`http://127.0.0.1:${port}/metrics`)
  t.match(metrics.headers.get('content-type'), /^text\/plain; version=/)
  t.match(await metrics.text(), /^process_cpu_seconds_total [^]*^fastify_chat_connections{chat="\/"} 1$/m)
  const health = await fetch(`http://127.0.0.1:${port}/health`)
  t.strictSame([health.status, await health.text()], [200, 'ok'])
})

t.test('DEPLOYMENT.md: the app closes on SIGTERM', async (t) => {
  const server = snippet(folder, 'docs/DEPLOYMENT.md', 'Containers and shutdown')(t, anyPort)
  await server.port()
  t.match(await server.end('SIGTERM'), { code: 0 })
})
