import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { build, listen } from '../support/app.ts'
import { chatClient, nextEvent } from '../support/chat-client.ts'
import '../support/compiled.ts'
import { redisServer, skip } from '../support/redis-server.ts'
import { open, refused } from '../support/websocket-client.ts'

const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url))
const blocks = blocksOf(readFileSync(new URL('../../README.md', import.meta.url), 'utf8'))

/** Inside the checkout, so that 'fastify-chat' resolves to the compiled checkout. './data' is created in it. */
const folder = t.testdir()

/** Text of a block that is replaced before it is run. */
type Instead = readonly [written: string, run: string]
const anyPort: Instead = ['port: 3000', 'port: 0']
const expired: Instead = ['3_600_000', '0']
const serverAt = (port: number): Instead => ['localhost:3000', `127.0.0.1:${port}`]
const redisAt = (port: number): Instead => ['127.0.0.1:6379', `127.0.0.1:${port}`]

/** Returns an app around a block that is part of one. */
const appWith = (part: string): string => `
import Fastify from 'fastify'
import fastifyChat from 'fastify-chat'

const app = Fastify({ logger: true })
${part}
process.once('SIGTERM', () => app.close())
await app.listen({ port: 0, host: '127.0.0.1' })
`

/** Returns every block, except shell and plain text, by its heading. */
function blocksOf (markdown: string): Map<string, string> {
  const found = new Map<string, string>()
  let under = ''
  for (const [, heading, language = '', block = ''] of markdown.matchAll(/^#+ (.+)$|^```(.*)\n([^]*?)^```$/gm)) {
    if (heading !== undefined) under = heading
    else if (found.has(under)) throw new Error(`two blocks under '${under}'`)
    else if (!['sh', 'text'].includes(language)) found.set(under, block)
  }
  return found
}

type Start = (instead?: Instead) => ReturnType<typeof program>

/** Takes the block under a heading, and tests that it behaves as the text says. */
function shows (heading: string, what: string, test: (t: Test, start: Start, block: string) => Promise<void>, options = {}): void {
  const block = blocks.get(heading)
  if (block === undefined) throw new Error(`no block under '${heading}'`)
  blocks.delete(heading)
  const source = /\bapp\./.test(block) && !block.includes('const app = ') ? appWith(block) : block
  const file = join(folder, `${heading}.mjs`)
  writeFileSync(file, source)
  const start: (t: Test) => Start = (t) => ([written, run] = ['', '']) => {
    if (!block.includes(written)) throw new Error(`'${written}' is not in the block`)
    writeFileSync(file, source.replaceAll(written, run))
    return program(t, file)
  }
  t.test(`${heading}: ${what}`, options, (t) => test(t, start(t), block))
}

/** Runs a block as a program, without the variables that tap sets for its children. */
function program (t: Test, file: string) {
  const child = spawn(process.execPath, [file], { cwd: folder, env: {}, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      child.emit('output')
    })
  }
  const ended = once(child, 'close').then(([code]) => ({ code, output }))
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal)
    return ended
  }
  t.teardown(() => end('SIGKILL'))
  /** Resolves with the match once the output matches. Rejects when the program ends before. */
  const printed = async (pattern: RegExp) => {
    for (;;) {
      const found = pattern.exec(output)
      if (found !== null) return found
      const over = await Promise.race([once(child, 'output').then(() => false), ended.then(() => true)])
      if (over) throw new Error(`ended without ${pattern}:\n${output}`)
    }
  }
  /** Resolves with the port, once it listens. */
  const port = async () => Number((await printed(/"Server listening at http:\/\/.*:(\d+)"/))[1])
  return { printed, port, end, ended }
}

shows('fastify-chat', 'a chat, an echo and a page', async (t, start, block) => {
  const port = await start(anyPort).port()
  const [chat = '', echo = '', page = ''] = (block.match(/\w+:\/\/\S+/g) ?? []).map((url) => url.replace(':3000/', `:${port}/`))
  const [ada, grace] = [await open(t, chat), await open(t, chat)]
  for (const { next } of [ada, grace]) t.equal(await next(), 'connected to WebSocket server')
  ada.socket.send('Good morning.')
  for (const { next } of [ada, grace]) t.equal(await next(), 'Good morning.')

  const { socket, next } = await open(t, echo)
  socket.send('Hello')
  t.equal(await next(), 'Hello')

  t.match(await (await fetch(page)).text(), 'main.js')
})

shows('In your app', 'keeps the home page, refuses strangers, replies, and publishes', async (t, start) => {
  const host = `localhost:${await start(anyPort).port()}`
  t.equal(await (await fetch(`http://${host}/`)).text(), 'my own home')
  t.match(await (await fetch(`http://${host}/talk/demo/`)).text(), 'main.js')

  for (const path of ['chat', 'echo']) {
    const { status, body } = await refused(`ws://${host}/talk/${path}`)
    t.strictSame({ status, ...JSON.parse(body) as object }, { status: 401, error: 'who are you?' })
  }
  const headers = { authorization: 'Bearer of tea' }
  t.match(await refused(`ws://${host}/talk/chat`, { headers, origin: 'https://example.org' }), { status: 403 })

  const echo = await open(t, `ws://${host}/talk/echo`, { headers })
  echo.socket.send('Hello')
  t.equal(await echo.next(), 'I heard you say "Hello"')

  const ada = await open(t, `ws://${host}/talk/chat`, { headers, origin: 'https://example.com' })
  ada.socket.send('Is it?')
  t.equal(await ada.next(), 'Is it?', 'no greeting before it')
  const announced = await fetch(`http://${host}/announce`, { method: 'POST' })
  t.match(await announced.json(), { position: /./ })
  t.equal(await ada.next(), 'The kettle is on.', 'in the default room')
})

shows('In tests', 'the test passes', async (t, start) => {
  const { code, output } = await start().ended
  t.match(output, /^ok 1 - two people talk/m)
  t.equal(code, 0, output)
})

shows('Rooms that lose nothing', 'the client logs its status, the members and the messages', async (t, start) => {
  const port = await listen(await build(t))
  const grace = await chatClient(t, port, { name: 'grace' }).join('tea')
  const posted = nextEvent(grace, 'message')
  const ada = start(serverAt(port))
  await ada.printed(/^online$/m)
  t.match(await posted, { from: { name: 'ada' }, text: 'Good morning.' })

  // Bob joins after the post, so his arrival shows that the program's loop runs.
  await ada.printed(/^ada Good morning\.$/m)
  const bob = await chatClient(t, port, { name: 'bob' }).join('tea')
  await ada.printed(/^3 \[[^\]]*'bob'/m)
  await bob.post('Good day.')
  await ada.printed(/^bob Good day\.$/m)
})

shows("The server's side", 'authentication, a message filter, and logged joins and leaves', async (t, start) => {
  const server = start()
  const client = chatClient(t, await server.port(), { name: 'grace' })
  const room = await client.join('tea')
  const message = nextEvent(room, 'message')
  await room.post('Good morning.', { mood: 'glad' })
  t.match(await message, { from: { id: 'u1', name: 'Ada' }, text: 'Good morning.', data: { mood: 'glad' } })
  await t.rejects(room.post('Good morning.', { mood: 1 }), { code: 'invalid' })
  await t.rejects((await client.join('announcements')).post('I am one.'), { code: 'forbidden' })

  await server.printed(/"member":{"id":"u1",.*"room":"tea","msg":"joined"}/)
  client.close()
  await server.printed(/"member":{"id":"u1",.*"room":"tea","msg":"left"}/)

  const { closed } = await open(t, `ws://127.0.0.1:${await start(expired).port()}/chat`)
  t.match(await closed, { code: 4401 })
})

shows('On disk: LMDB', 'acknowledged messages survive kill -9', async (t, start) => {
  const killed = start()
  const room = await chatClient(t, await killed.port(), { name: 'ada' }).join('tea')
  await room.post('Good morning.')
  await killed.end('SIGKILL')

  const server = start()
  const { next } = await open(t, `ws://127.0.0.1:${await server.port()}/chat?room=tea&history=1`)
  t.strictSame([await next(), await next()], ['connected to WebSocket server', 'ada: Good morning.'])
  t.match(await server.end('SIGTERM'), { code: 0 })
})

shows('Many nodes: Redis', 'two nodes are one chat', async (t, start) => {
  const { port } = await redisServer(t, { tcp: true })
  const one = start(redisAt(port!))
  const ada = await chatClient(t, await one.port(), { name: 'ada' }).join('tea')
  const both = nextEvent(ada, 'presence', ({ count }) => count === 2)
  const message = nextEvent(ada, 'message')
  const other = start(redisAt(port!))
  const grace = await chatClient(t, await other.port(), { name: 'grace' }).join('tea')
  await both
  t.strictSame([...ada.members.values()].map(({ name }) => name).sort(), ['ada', 'grace'])
  await grace.post('Good day.')
  t.match(await message, { from: { name: 'grace' }, text: 'Good day.' })
  for (const node of [one, other]) t.match(await node.end('SIGTERM'), { code: 0 })
}, { skip })

shows('Watching it', 'metrics and a health route', async (t, start) => {
  const port = await start().port()
  await (await open(t, `ws://127.0.0.1:${port}/chat`)).next()
  const metrics = await fetch(`http://127.0.0.1:${port}/metrics`)
  t.match(metrics.headers.get('content-type'), /^text\/plain; version=/)
  t.match(await metrics.text(), /^process_cpu_seconds_total [^]*^fastify_chat_connections{chat="\/"} 1$/m)
  const health = await fetch(`http://127.0.0.1:${port}/health`)
  t.strictSame([health.status, await health.text()], [200, 'ok'])
})

t.test('every block was tested', async (t) => t.strictSame([...blocks.keys()], []))

t.test("the blocks compile with the package's types", async (t) => {
  const options = '--noEmit --checkJs --strict --skipLibCheck --target es2022 --module nodenext --types node'.split(' ')
  const files = readdirSync(folder).filter((name) => name.endsWith('.mjs'))
  const compiled = promisify(execFile)(process.execPath, [tsc, ...options, ...files], { cwd: folder })
  t.equal((await compiled.catch((error: { stdout: string }) => error)).stdout, '')
})
