import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { open } from '../support/helper.ts'

/** A program of examples/, run from source. */
interface Program {
  /** Resolves with the match once stdout matches. Rejects when the program ends before. */
  printed (pattern: RegExp): Promise<string[]>
  readonly ended: Promise<{ code: number | null, stdout: string, stderr: string }>
  interrupt (): void
}

function run (t: Test, file: string, ...args: string[]): Program {
  const env = { ...process.env, PORT: '0' }
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(process.execPath, ['--import', 'tsx', file, ...args],
    { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text })
  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text })
  const ended = once(child, 'close').then(([code]) => ({ code, stdout, stderr }))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    ended,
    interrupt: () => child.kill('SIGINT'),
    async printed (pattern) {
      for (;;) {
        const found = pattern.exec(stdout)
        if (found !== null) return found
        if (child.stdout.readableEnded) throw new Error(`${file} ended without ${pattern}:\n${stdout}${stderr}`)
        await Promise.race([once(child.stdout, 'data'), ended])
      }
    }
  }
}

interface Example extends Program {
  /** Returns the address it listens on: `127.0.0.1:3000`. */
  readonly host: string
  /** Resolves once a line with this message, and this text if given, was logged. */
  logged (msg: string, text?: string): Promise<unknown>
}

async function example (t: Test, name: string): Promise<Example> {
  const program = run(t, `examples/${name}.ts`)
  const [, host = ''] = await program.printed(/"Server listening at http:\/\/(127\.0\.0\.1:\d+)"/)
  const field = (name: string, value: string) => `"${name}":${JSON.stringify(value)}`.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  return {
    ...program,
    host,
    logged: (msg, text) => program.printed(new RegExp(`^{.*${text === undefined ? '' : `${field('text', text)}.*`}${field('msg', msg)}}$`, 'm'))
  }
}

const connect = (t: Test, ...args: string[]) => run(t, 'src/cli/main.ts', 'connect', ...args)

/** Asserts what the page at an address offers. */
async function panels (t: Test, page: string, headers = {}): Promise<{ chat: boolean, echo: boolean }> {
  const answer = await fetch(page, { headers })
  t.match(await answer.text(), 'chat-page.js', page)
  const config = await (await fetch(new URL('config.json', page), { headers })).json() as { chat: unknown, echo: unknown }
  return { chat: config.chat !== null, echo: config.echo !== null }
}

t.test('1, hello world: Hello is logged and answered with World! every time', async (t) => {
  const { host, logged } = await example(t, '1-hello-world')
  t.strictSame(await panels(t, `http://${host}/`), { chat: false, echo: true })

  const client = connect(t, `ws://${host}/echo`, '--send', 'Hello', '--every', '20ms', '--count', '3')
  const { code, stdout } = await client.ended
  t.match(stdout, /^Connected\n(Received: World!\n){3}Disconnected \(code 1000\b.*\n$/)
  t.equal(code, 0)
  await logged('Received: Hello')
})

t.test('2, greeting: the client is greeted, and its message is logged, not answered', async (t) => {
  const { host, logged } = await example(t, '2-greeting')
  const client = connect(t, `ws://${host}/echo`, '--send', 'Msg from client')
  await logged('Message received: Msg from client')
  await client.printed(/^Received: Hello from server$/m)
  client.interrupt()

  const { code, stdout } = await client.ended
  t.match(stdout, /^Connected\nReceived: Hello from server\nDisconnected \(code 1000\b.*\n$/)
  t.equal(code, 0)
})

t.test('3, conversation: the server greets the client and echoes its message', async (t) => {
  const { host, logged } = await example(t, '3-conversation')
  const { socket, next } = await open(t, `ws://${host}/echo`)
  socket.send('good morning')
  t.equal(await next(), 'Hello webSocket')
  t.equal(await next(), 'I heard you say "good morning"')
  await logged('received', 'good morning')
})

t.test('3, conversation: a group talk reaches the peers through the server', async (t) => {
  const { host, logged } = await example(t, '3-conversation')
  const [ada, bob, eve] = await Promise.all(['ada', 'bob', 'eve'].map((name) => open(t, `ws://${host}/chat?name=${name}`)))
  for (const client of [ada, bob, eve]) t.equal(await client!.next(), 'Hello webSocket')

  ada!.socket.send('who is here?')
  t.equal(await bob!.next(), 'ada: who is here?')
  t.equal(await eve!.next(), 'ada: who is here?')
  bob!.socket.send('me')
  t.equal(await ada!.next(), 'bob: me', "ada's first message is not her own")
  await logged('received', 'who is here?')
})

t.test('4, broadcast: each message reaches all clients, with or without the sender', async (t) => {
  const { host, logged } = await example(t, '4-broadcast')
  t.strictSame(await panels(t, `http://${host}/`), { chat: true, echo: false })

  const [one, other] = await Promise.all([open(t, `ws://${host}/chat`), open(t, `ws://${host}/chat?self=0`)])
  for (const client of [one, other]) t.equal(await client.next(), 'connected to WebSocket server')
  one.socket.send('from one')
  for (const client of [one, other]) t.equal(await client.next(), 'from one')
  other.socket.send('from the other')
  t.equal(await one.next(), 'from the other')
  one.socket.send('again')
  t.equal(await other.next(), 'again', 'not its own message')
  await logged('received', 'from the other')
})

t.test('5, echo: the same bytes are returned, and the page has an echo panel', async (t) => {
  const { host, logged } = await example(t, '5-echo')
  t.strictSame(await panels(t, `http://${host}/`), { chat: false, echo: true })

  const { socket, next, closed } = await open(t, `ws://${host}/echo`)
  const bytes = Buffer.from([0, 255, 10, 13])
  socket.send('žluťoučký kůň 🐎')
  socket.send(bytes)
  t.equal(await next(), 'žluťoučký kůň 🐎')
  t.strictSame(await next(), bytes)
  await logged('received', 'žluťoučký kůň 🐎')

  socket.close(1000, 'done')
  t.strictSame(await closed, { code: 1000, reason: 'done' })
})

t.test('an existing app keeps its home and login, and publishes what it receives by HTTP', async (t) => {
  const { host } = await example(t, 'existing-app')
  const home = await fetch(`http://${host}/`)
  t.equal(home.status, 200)
  t.match(await home.text(), 'The shop')

  for (const path of ['/demo/', '/demo/config.json', '/chat', '/echo']) {
    t.equal((await fetch(`http://${host}${path}`)).status, 401, `${path} requires a login`)
  }
  await t.rejects(open(t, `ws://${host}/chat`), { message: /401/ }, 'so does an upgrade')
  const refused = await connect(t, `ws://${host}/chat`).ended
  t.match(refused, { code: 1, stderr: /401.*sign in first/ })

  const headers = { authorization: `Basic ${btoa('ada:secret')}` }
  t.strictSame(await panels(t, `http://${host}/demo/`, headers), { chat: true, echo: true })
  const ada = await open(t, `ws://ada:secret@${host}/chat?room=orders`)
  t.equal(await ada.next(), 'connected to WebSocket server')
  const order = await fetch(`http://${host}/orders/7`, { method: 'POST', headers })
  t.strictSame(await order.json(), { id: '7' })
  t.equal(await ada.next(), 'shop: order 7 has come in')
  t.equal((await fetch(`http://${host}/orders/7`, { method: 'POST' })).status, 401)
})
