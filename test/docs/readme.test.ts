import t from 'tap'
import { ChatClient } from '../../src/client/node.ts'
import { chatClient, nextEvent } from '../support/chat-client.ts'
import { open, refused } from '../support/websocket-client.ts'
import { blocksOf, read } from '../support/markdown.ts'
import { redisServer, skip } from '../support/redis-server.ts'
import { anyPort, redisAt, serverAt, snippet, type Start } from '../support/snippet.ts'

/** './data' is created in it. */
const folder = t.testdir()
const tested = new Set<string>()

function block (heading: string): Start {
  tested.add(heading)
  return snippet(folder, 'README.md', heading)
}

t.test('Install: a chat, an echo and a page', async (t) => {
  const start = block('Install')
  const port = await start(t, anyPort).port()
  const [chat = '', echo = '', page = ''] = (read('README.md').match(/^\/\/ ws:.*$/m)?.[0].match(/\w+:\/\/\S+/g) ?? [])
    .map((url) => url.replace(':3000/', `:${port}/`))
  const [ada, grace] = [await open(t, chat), await open(t, chat)]
  for (const { next } of [ada, grace]) t.equal(await next(), 'connected to WebSocket server')
  ada.socket.send('Good morning.')
  for (const { next } of [ada, grace]) t.equal(await next(), 'Good morning.')

  const { socket, next } = await open(t, echo)
  socket.send('Hello')
  t.equal(await next(), 'Hello')
  t.match(await (await fetch(page)).text(), 'main.js')
})

t.test('In your app: the app names members, authorizes, filters and publishes', async (t) => {
  const port = await block('In your app, with authentication')(t, anyPort).port()
  t.match(await (await open(t, `ws://127.0.0.1:${port}/talk/chat`)).closed, { code: 4401 })

  const client = new ChatClient(`ws://127.0.0.1:${port}/talk/chat`, { token: 'secret-of-ada' })
  t.teardown(() => client.close())
  const room = await client.join('announcements')
  await t.rejects(room.post('I have news.'), { code: 'forbidden' })
  const announced = nextEvent(room, 'message')
  await fetch(`http://127.0.0.1:${port}/announce`, { method: 'POST' })
  t.match(await announced, { from: null, text: 'The kettle is on.' })

  const tea = await client.join('tea')
  const message = nextEvent(tea, 'message')
  await tea.post('Good morning.')
  t.match(await message, { from: { id: 'u1', name: 'Ada' }, text: 'Good morning.' })
  await t.rejects(tea.post('Buy spam.'), { code: 'refused', message: 'no advertising' })
  t.match(await refused(`ws://127.0.0.1:${port}/talk/chat`, { origin: 'https://example.org' }), { status: 403 })
})

t.test('The client: logs its status, the members and the messages', async (t) => {
  const port = await block('In your app, with authentication')(t, anyPort).port()
  const ada = block('The client')(t, serverAt(port))
  await ada.printed(/^online$/m)
  await ada.printed(/^0 true$/m)
  await ada.printed(/^1 members$/m)
  await ada.printed(/^Ada Good morning\.$/m)
})

t.test('The server API: every call succeeds', async (t) => {
  const server = block('The server API')(t)
  await server.port()
  t.match(await server.end('SIGTERM'), { code: 0 })
})

t.test('Durable: acknowledged messages survive kill -9', async (t) => {
  const start = block('Durable, on one machine')
  const killed = start(t, anyPort)
  const room = await chatClient(t, await killed.port(), { name: 'ada' }).join('tea')
  await room.post('Good morning.')
  await killed.end('SIGKILL')

  const { next } = await open(t, `ws://127.0.0.1:${await start(t, anyPort).port()}/chat?room=tea&history=1`)
  t.strictSame([await next(), await next()], ['connected to WebSocket server', 'ada: Good morning.'])
})

t.test('Many nodes: two processes with one Redis are one chat', { skip }, async (t) => {
  const start = block('Many nodes')
  const { port } = await redisServer(t, { tcp: true })
  const ada = await chatClient(t, await start(t, anyPort, redisAt(port!)).port(), { name: 'ada' }).join('tea')
  const both = nextEvent(ada, 'presence', ({ count }) => count === 2)
  const message = nextEvent(ada, 'message')
  const grace = await chatClient(t, await start(t, anyPort, redisAt(port!)).port(), { name: 'grace' }).join('tea')
  await both
  t.strictSame([...ada.members.values()].map(({ name }) => name).sort(), ['ada', 'grace'])
  await grace.post('Good day.')
  t.match(await message, { from: { name: 'grace' }, text: 'Good day.' })
})

t.test('every program of the README was run', async (t) => {
  const skipped = skip === false ? [] : ['Many nodes']
  const programs = blocksOf('README.md').filter(({ info }) => info === 'js').map(({ heading }) => heading)
  t.strictSame(new Set([...tested, ...skipped]), new Set(programs))
})
