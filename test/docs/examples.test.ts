import { readdir, readFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { chatClient, nextEvent, state } from '../support/chat-client.ts'
import { run } from '../support/command.ts'
import { directory } from '../support/directory.ts'
import { example } from '../support/example.ts'
import { protocol, V1Client } from '../support/v1-client.ts'
import { open } from '../support/websocket-client.ts'

const connect = (t: Test, ...args: string[]) => run(t, ['connect', ...args])

/** Asserts what the page at an address offers. */
async function panels (t: Test, page: string, headers = {}): Promise<{ chat: boolean, echo: boolean }> {
  const answer = await fetch(page, { headers })
  t.match(await answer.text(), 'main.js', page)
  const config = await (await fetch(new URL('config.json', page), { headers })).json() as { chat: unknown, echo: unknown }
  return { chat: config.chat !== null, echo: config.echo !== null }
}

t.test('echo-reply: Hello is logged and answered with World! every time', async (t) => {
  const { host, logged } = await example(t, 'echo-reply')
  t.strictSame(await panels(t, `http://${host}/`), { chat: false, echo: true })

  const client = connect(t, `ws://${host}/echo`, '--send', 'Hello', '--every', '20ms', '--count', '3')
  const { code, stdout } = await client.ended
  t.match(stdout, /^Connected\n(Received: World!\n){3}Disconnected \(code 1000\b.*\n$/)
  t.equal(code, 0)
  await logged('Received: Hello')
})

t.test('greeting: the client is greeted, and its message is logged, not answered', async (t) => {
  const { host, logged } = await example(t, 'greeting')
  const client = connect(t, `ws://${host}/echo`, '--send', 'Msg from client')
  await logged('Message received: Msg from client')
  await client.seen(/^Received: Hello from server$/m)
  client.child.kill('SIGINT')

  const { code, stdout } = await client.ended
  t.match(stdout, /^Connected\nReceived: Hello from server\nDisconnected \(code 1000\b.*\n$/)
  t.equal(code, 0)
})

t.test('conversation: the server greets the client and echoes its message', async (t) => {
  const { host, logged } = await example(t, 'conversation')
  const { socket, next } = await open(t, `ws://${host}/echo`)
  socket.send('good morning')
  t.equal(await next(), 'Hello webSocket')
  t.equal(await next(), 'I heard you say "good morning"')
  await logged('received', 'good morning')
})

t.test('conversation: a group talk reaches the peers through the server', async (t) => {
  const { host, logged } = await example(t, 'conversation')
  const [ada, bob, eve] = await Promise.all(['ada', 'bob', 'eve'].map((name) => open(t, `ws://${host}/chat?name=${name}`)))
  for (const client of [ada, bob, eve]) t.equal(await client!.next(), 'Hello webSocket')

  ada!.socket.send('who is here?')
  t.equal(await bob!.next(), 'ada: who is here?')
  t.equal(await eve!.next(), 'ada: who is here?')
  bob!.socket.send('me')
  t.equal(await ada!.next(), 'bob: me', "ada's first message is not her own")
  await logged('received', 'who is here?')
})

t.test('broadcast: each message reaches all clients, with or without the sender', async (t) => {
  const { host, logged } = await example(t, 'broadcast')
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

t.test('echo: the same bytes are returned, and the page has an echo panel', async (t) => {
  const { host, logged } = await example(t, 'echo')
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

t.test('existing-app: the app keeps its home and login, and publishes what it receives by HTTP', async (t) => {
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

t.test('cookie-auth: the member is the one who signed in', async (t) => {
  const { host } = await example(t, 'cookie-auth')
  const login = (name: string, password: string) => fetch(`http://${host}/login`, {
    method: 'POST', body: new URLSearchParams({ name, password }), redirect: 'manual'
  })
  t.match(await (await fetch(`http://${host}/`)).text(), '<form method="post" action="/login">')
  t.equal((await login('ada', 'guess')).status, 401)
  t.equal((await login('eve', 'secret')).status, 401)
  t.equal((await fetch(`http://${host}/login`, { method: 'POST' })).status, 400)

  const signedIn = await login('ada', 'secret')
  t.equal(signedIn.status, 303)
  const [, cookie = ''] = /^(member=[^;]+);.* HttpOnly; SameSite=Lax$/.exec(signedIn.headers.get('set-cookie')!) ?? []
  t.strictSame(await panels(t, new URL(signedIn.headers.get('location')!, `http://${host}`).href), { chat: true, echo: false })

  const { socket, next } = await open(t, `ws://${host}/chat?name=mallory`, { headers: { cookie } })
  t.equal(await next(), 'connected to WebSocket server')
  socket.send('hello')
  t.equal(await next(), 'ada: hello', 'the name is that of the cookie')

  for (const wrong of ['', cookie.replace('ada', 'bob')]) {
    const { closed } = await open(t, `ws://${host}/chat`, { headers: { cookie: wrong } })
    t.match(await closed, { code: 4401 }, `cookie '${wrong}'`)
  }
})

t.test('jwt-auth: the member is the one that the token names', async (t) => {
  const { host, logged } = await example(t, 'jwt-auth')
  const signIn = (name: string, password: string) => fetch(`http://${host}/token`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name, password })
  })
  t.equal((await signIn('ada', 'guess')).status, 401)
  const { token } = await (await signIn('ada', 'secret')).json() as { token: string }

  const port = Number(host.split(':')[1])
  const ada = chatClient(t, port, { name: 'mallory', token })
  t.match(await state(ada, 'online'), { member: { id: 'ada', name: 'ada' } })

  const [header, , signature] = token.split('.')
  const forged = `${header}.${btoa(JSON.stringify({ sub: 'bob', exp: 4e9 })).replaceAll('=', '')}.${signature}`
  for (const wrong of [forged, '']) {
    t.match(await state(chatClient(t, port, { token: wrong }), 'closed'), { code: 4401 })
    await logged('token rejected')
  }
})

t.test('moderation: a message that the moderator deletes disappears for every member', async (t) => {
  const { host, logged } = await example(t, 'moderation')
  const [ada, bob, mia] = await Promise.all(['ada', 'bob', 'mia'].map(async (token) => {
    const client = new V1Client(await open(t, `ws://${host}/chat`, { protocol }))
    await client.hello({ token, changes: true })
    await client.join('lobby')
    return client
  })) as [V1Client, V1Client, V1Client]
  const others = [ada, bob, mia]
  const said = async (client: V1Client, text: string) => {
    const position = await client.posted('lobby', text)
    for (const other of others) if (other !== client) await other.expect('message')
    return position
  }
  const position = await said(bob, 'spam')
  for (const type of ['edit', 'delete']) {
    t.match(await ada.refused({ type, room: 'lobby', position, id: 'a', text: 'x' }), { code: 'forbidden', request: type })
  }
  mia.say({ type: 'delete', room: 'lobby', position, id: 'm' })
  for (const client of others) t.match(await client.next(), { type: 'changed', position, deleted: true })
  await mia.expect('ack')
  await logged('a message was deleted')

  const more = [await said(bob, 'more spam'), await said(bob, 'and more')]
  const remove = async (token: string) => await fetch(`http://${host}/members/bob/messages`, { method: 'DELETE', headers: { authorization: `Bearer ${token}` } })
  t.equal((await remove('ada')).status, 403)
  t.strictSame(await (await remove('mia')).json(), { deleted: 2 })
  t.match(await bob.closed, { code: 4403 })
  for (const client of [ada, mia]) t.strictSame((await client.take(2)).map((message) => 'position' in message && message.position).sort(), more.sort())
  const late = new V1Client(await open(t, `ws://${host}/chat`, { protocol }))
  await late.hello({ token: 'ada' })
  t.strictSame((await late.join('lobby')).messages.map(({ text }) => text), ['', '', ''])
})

t.test('assistant: an answer grows until it is complete, or until /stop', async (t) => {
  const { host, logged } = await example(t, 'assistant')
  const ada = new V1Client(await open(t, `ws://${host}/chat`, { protocol }))
  await ada.hello({ name: 'ada', changes: true })
  await ada.join('lobby')
  /** Asks, and resolves with the answer when it has ended. Posts `/stop` when it ends with `stopAt`. */
  const answered = async (question: string, stopAt?: string) => {
    ada.post('lobby', question)
    let [answer, pieces, position] = ['', 0, '']
    for (;;) {
      const message = await ada.next()
      if (message.type === 'message' && message.streaming === true) {
        t.match(message, { text: '', from: { id: 'assistant', name: 'Assistant' } })
        position = message.position
      }
      if (message.type !== 'changed') continue
      t.equal(message.position, position)
      if (message.appended !== undefined) {
        t.equal(message.appended.at, answer.length)
        answer += message.appended.text
        pieces++
        if (stopAt !== undefined && answer.endsWith(stopAt)) ada.post('lobby', '/stop')
      }
      if (message.ended === true) return { answer, pieces, unfinished: message.unfinished }
    }
  }
  const complete = await answered('Why?')
  t.match(complete, { answer: 'You asked: Why? Let me think. The answer is 42.', unfinished: undefined })
  t.ok(complete.pieces > 1, `${complete.pieces} pieces`)
  t.match(await answered('What is the meaning of life?', 'think. '), { answer: /think\. $/, unfinished: true })
  await logged('an answer was stopped')
})

t.test('metrics: /metrics counts the messages, and has the metrics of the process', async (t) => {
  const { host } = await example(t, 'metrics')
  const { socket, next } = await open(t, `ws://${host}/chat`)
  t.equal(await next(), 'connected to WebSocket server')
  socket.send('hello')
  t.equal(await next(), 'hello')

  const answer = await fetch(`http://${host}/metrics`)
  t.match(answer.headers.get('content-type'), /^text\/plain/)
  const metrics = await answer.text()
  t.match(metrics, /^fastify_chat_posts_total\{chat="\/"\} 1$/m)
  t.match(metrics, /^fastify_chat_connections\{chat="\/"\} 1$/m)
  t.match(metrics, /^process_cpu_seconds_total /m)
})

t.test('custom-backend: messages are kept for the next start', async (t) => {
  const data = directory(t)
  const first = await example(t, 'custom-backend', { CHAT_DATA: data })
  const ada = chatClient(t, Number(first.host.split(':')[1]), { name: 'ada' })
  const lobby = await ada.join('lobby')
  await lobby.post('hello')
  first.child.kill('SIGKILL')
  await first.ended

  const second = await example(t, 'custom-backend', { CHAT_DATA: data })
  const bob = chatClient(t, Number(second.host.split(':')[1]), { name: 'bob' })
  const { messages } = await nextEvent(await bob.join('lobby'), 'joined')
  t.match(messages, [{ text: 'hello', from: { name: 'ada' } }])
})

t.test('examples/README.md names every program', async (t) => {
  const programs = (await readdir('examples')).filter((name) => name.endsWith('.ts'))
  const readme = await readFile('examples/README.md', 'utf8')
  const rows = [...readme.matchAll(/^\| \[([\w-]+\.ts)\]\(\1\) \|/gm)].map(([, name]) => name)
  t.strictSame(rows.sort(), programs.sort())
})
