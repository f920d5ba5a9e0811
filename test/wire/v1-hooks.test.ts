import { mock } from 'node:test'
import t from 'tap'
import type { FastifyChatOptions } from '../../src/index.ts'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'
import { connect } from '../../src/testing.ts'
import { build, logged } from '../support/app.ts'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { gate } from '../support/gate.ts'
import { backendOf, backendWith } from '../support/backend.ts'
import { tick } from '../support/tick.ts'
import { texts } from '../support/v1-client.ts'
import { open } from '../support/websocket-client.ts'

/** Resolves once the server has detected the disconnects, which happens after the clients have. */
async function left ({ app }: ChatApp, connections = 0): Promise<void> {
  while (app.chat.stats().connections > connections) await tick()
}

type Authenticate = NonNullable<FastifyChatOptions['authenticate']>

/** Returns an error of the app. The chat must not confuse its status and code with those of its own errors. */
function httpError (statusCode: number): Error {
  return Object.assign(new Error('of the app'), { statusCode, code: 'FST_APP' })
}

for (const [title, authenticate] of Object.entries<Authenticate>({
  'at once': (request, hello) => ({ id: `user ${hello?.token}`, name: String(request.headers['x-name']) }),
  later: async (request, hello) => {
    await tick()
    return { id: `user ${hello?.token}`, name: String(request.headers['x-name']) }
  }
})) {
  t.test(`authenticate that returns ${title} sets the member, and hello sets neither id nor name`, async (t) => {
    const { tcp } = await chat(t, { authenticate })
    const client = await tcp()
    const welcome = await client.hello({ token: '7', name: 'somebody else' })
    t.strictSame(welcome.member, { id: 'user 7', name: 'undefined' })
    t.match(welcome.session, /^.{43}$/)
    const again = await (await tcp()).hello({ session: welcome.session, token: '8' })
    t.equal(again.member.id, 'user 8', 'neither does a session')
    t.strictSame((await client.join('a')).members, [welcome.member])
  })
}

t.test('with authenticate only the app sets the name, which is empty by default', async (t) => {
  const answers: Record<string, object> = { absent: { id: '1' }, undefined: { id: '1', name: undefined }, null: { id: '1', name: null }, empty: { id: '1', name: '' } }
  const { tcp, plain, member } = await chat(t, { authenticate: (_, { token = 'absent' }) => answers[token] as { id: string } })
  for (const token of Object.keys(answers)) {
    t.strictSame((await (await tcp()).hello({ name: 'The Admin', token })).member, { id: '1', name: '' }, token)
  }
  const listener = await member({}, 'lobby')
  const client = await plain('?name=The%20Admin')
  client.socket.send('hello')
  t.match(await listener.next(), { text: 'hello', from: { id: '1', name: '' } })
})

t.test('authenticate receives the normalised name of hello; an invalid one is refused before', async (t) => {
  const names: unknown[] = []
  const { tcp, plain } = await chat(t, {
    authenticate (_, hello) {
      names.push(hello.name)
      return { id: '1', name: hello.name }
    }
  })
  t.strictSame((await (await tcp()).hello({ name: ' \uff21da  L ' })).member, { id: '1', name: 'Ada L' })
  t.strictSame((await (await tcp()).hello({ name: '' })).member, { id: '1', name: '' })
  t.match(await (await tcp()).refused({ type: 'hello', name: '\u202e' }), { code: 'invalid' })
  const client = await plain('?name=%EF%BC%A1da')
  client.socket.send('x')
  t.equal(await client.next(), 'Ada: x')
  t.strictSame(names, ['Ada L', undefined, 'Ada'])
})

t.test('authenticate receives name, token and session of hello, and nothing else', async (t) => {
  const hellos: unknown[] = []
  const { tcp } = await chat(t, {
    authenticate (_, hello) {
      hellos.push(hello)
      return { id: '1' }
    }
  })
  const { session } = await (await tcp()).hello({ name: 'ada', token: 'x', admin: true })
  t.strictSame(hellos, [{ name: 'ada', token: 'x', session }])
})

t.test('a name that authenticate returns is normalised', async (t) => {
  const { tcp } = await chat(t, { authenticate: () => ({ id: '1', name: ' \uff21da   Lovelace ' }) })
  t.strictSame((await (await tcp()).hello()).member, { id: '1', name: 'Ada Lovelace' })
})

/** Returns an error whose `message` throws when it is read. */
function unreadable (): Error {
  return Object.defineProperty(new Error('x'), 'message', { get () { throw new Error('again') } })
}

function httpLike (property: 'status' | 'statusCode', value: number): Error {
  return Object.assign(new Error('of the app'), { [property]: value })
}

const rejections: Record<string, Authenticate> = {
  null: () => null,
  undefined: () => undefined,
  'null, later': async () => { await tick(); return null },
  'an error with statusCode 401': () => { throw httpLike('statusCode', 401) },
  'an error with statusCode 403, later': async () => { await tick(); throw httpLike('statusCode', 403) },
  'an error with status 401': () => { throw httpLike('status', 401) },
  'an error with status 403': async () => { throw httpLike('status', 403) }
}
for (const [title, authenticate] of Object.entries(rejections)) {
  t.test(`authenticate that rejects by ${title} closes v1 and plain clients with 4401`, async (t) => {
    const { app, tcp, plain } = await chat(t, { authenticate })
    const client = await tcp()
    client.say({ type: 'hello' })
    client.say({ type: 'join', room: 'a' })
    t.strictSame(await client.closed, { code: 4401, reason: 'not authenticated' })
    const other = await plain()
    other.socket.send('early')
    t.match(await other.closed, { code: 4401 })
    t.strictSame(app.lines.filter(({ level }) => level > 30), [], 'nothing is logged above level info')
    t.strictSame(app.chat.rooms(), [])
  })
}

const failures: Record<string, Authenticate> = {
  'an error': () => { throw new Error('the database is away') },
  'a rejection with status 500': async () => { throw httpError(500) },
  'a status 404': () => { throw httpLike('status', 404) },
  "a status '401' as a string": () => { throw Object.assign(new Error('x'), { statusCode: '401' }) },
  undefined: () => { throw undefined }, // eslint-disable-line no-throw-literal
  null: async () => { throw null }, // eslint-disable-line no-throw-literal
  'a string': () => { throw 'no' }, // eslint-disable-line no-throw-literal
  'an error whose message throws': () => { throw unreadable() },
  'an error whose status throws': () => { throw Object.defineProperty(new Error('x'), 'statusCode', { get () { throw unreadable() } }) },
  'a Proxy that throws': () => { throw new Proxy({}, { get () { throw unreadable() }, getPrototypeOf () { throw unreadable() } }) }
}
for (const [title, authenticate] of Object.entries(failures)) {
  t.test(`authenticate that throws ${title} is logged as an error and closes with 1013`, async (t) => {
    const room = await chat(t, { authenticate })
    const { app, tcp, plain } = room
    const client = await tcp()
    client.say({ type: 'hello' })
    t.strictSame(await client.closed, { code: 1013, reason: 'try again later' })
    t.strictSame(await (await plain()).closed, { code: 1013, reason: 'try again later' })
    await left(room)
    const errors = app.lines.filter(({ level }) => level === 50)
    t.match(errors, [{ msg: /^the handler of a connection failed/ }, { msg: /^the handler of a connection failed/ }])
    if (title === 'an error') t.match(errors, [{ err: { code: 'FST_CHAT_HOOK_FAILED', message: /authenticate' failed.*the database is away/ } }, {}])
    t.strictSame(app.chat.stats().disconnects, { try_again_later: 2 })
  })
}

t.test('an authenticate that never settles closes with 1013 at the handshake timeout', async (t) => {
  const room = await chat(t, { authenticate: () => new Promise(() => {}), limits: { handshakeTimeout: 1_000 } })
  const { app, tcp, plain } = room
  const client = await tcp()
  client.say({ type: 'hello' })
  t.strictSame(await client.closed, { code: 1013, reason: 'the handshake timed out' })
  t.strictSame(await (await plain()).closed, { code: 1013, reason: 'the handshake timed out' })
  t.match(await logged(app, 'websocket closed'), { err: { code: 'FST_CHAT_HANDSHAKE_TIMEOUT' } })
  await left(room)
  t.match(app.chat.stats(), { connections: 0, members: 0 })
})

t.test('an authorize that never settles closes a joining plain client; joined ones stay', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const handshakeTimeout = 10_000
  const hanging = gate()
  let hangs = false
  const room = await chat(t, { authorize: async () => { if (hangs) await hanging.pass(); return true }, limits: { handshakeTimeout } })
  const { app, plain } = room
  const stays = await plain()
  stays.socket.send('joined')
  await stays.next()
  hangs = true
  const joining = await plain()
  await hanging.reached
  mock.timers.tick(handshakeTimeout)
  t.strictSame(await joining.closed, { code: 1013, reason: 'the handshake timed out' })
  await left(room, 1)
  t.equal(stays.socket.readyState, stays.socket.OPEN)
  t.match(app.chat.stats(), { connections: 1, members: 1 })
})

t.test('failures of authenticate for many connections log few lines', async (t) => {
  const { app, plain } = await chat(t, { authenticate: () => { throw new Error('the database is away') } })
  await Promise.all(Array.from({ length: 100 }, async () => await (await plain()).closed))
  await app.close()
  const errors = app.lines.filter(({ level }) => level === 50)
  t.ok(errors.length < 60, `${errors.length} lines`)
  t.equal(errors.reduce((more, line) => more + Number(line['suppressed'] ?? 1), 0), 100, 'the lines account for every failure')
})

const id = 'x'
const wrongAnswers: Record<string, [answer: () => unknown, why: RegExp]> = {
  'no id': [() => ({}), /'id', which must be a non-empty string/],
  'an empty id': [() => ({ id: '' }), /'id', which must be a non-empty string/],
  'an id that is not a string': [() => ({ id: 7 }), /'id', which must be a non-empty string/],
  'an id of 129 characters': [() => ({ id: 'x'.repeat(129) }), /'id', which must be at most 128 characters/],
  'an id with a line break': [() => ({ id: 'x\ny' }), /'id', which must not contain control/],
  'an id with a lone surrogate': [() => ({ id: 'x\ud83d' }), /'id', which must not contain control/],
  'a name that is not a string': [() => ({ id, name: 7 }), /'name', which must be a string/],
  'a name with a line break': [() => ({ id, name: 'x\nadmin' }), /'name', which must not contain U\+000A/],
  'a name of 5,000 characters': [() => ({ id, name: 'x'.repeat(5_000) }), /'name', which must have at most 32 grapheme clusters/],
  'a name with a lone surrogate': [() => ({ id, name: 'x\ud83d' }), /'name', which must not contain U\+D83D/],
  'a name that is empty once normalised': [() => ({ id, name: '  ' }), /'name', which must contain a letter/],
  'expiresAt in seconds': [() => ({ id, expiresAt: 1_900_000_000 }), /'expiresAt', which is 1900000000, but must be in ms since the Unix epoch: .* exp of a JWT/],
  'a Date made of seconds': [() => ({ id, expiresAt: new Date(1_900_000_000) }), /must be in ms/],
  'expiresAt: 0': [() => ({ id, expiresAt: 0 }), /must be in ms/],
  'expiresAt: null': [() => ({ id, expiresAt: null }), /'expiresAt'/],
  'expiresAt: NaN': [() => ({ id, expiresAt: NaN }), /'expiresAt'/],
  'an invalid Date': [() => ({ id, expiresAt: new Date('x') }), /'expiresAt'/],
  'expiresAt as a string': [() => ({ id, expiresAt: '2030-01-01' }), /'expiresAt'/],
  'expiresAt as digits': [() => ({ id, expiresAt: '4000000000000' }), /'expiresAt'/],
  'expiresAt as a bigint': [() => ({ id, expiresAt: 4_000_000_000_000n }), /'expiresAt'/],
  'expiresAt as a Proxy': [() => ({ id, expiresAt: new Proxy(new Date(4e12), {}) }), /'expiresAt'/],
  'expiresAt with a throwing valueOf': [() => ({ id, expiresAt: { valueOf () { throw new Error('x') } } }), /'expiresAt'/],
  'data of more than 1 KiB': [() => ({ id, data: 'ä'.repeat(512) }), /'data', which has 1026 bytes as JSON; the limit is 1024/],
  'data that is no JSON': [() => ({ id, data: 1n }), /'data', which must be serializable as JSON/],
  'an unknown property': [() => ({ id, role: 'admin' }), /returned 'role', which does not exist: use id, name, data, expiresAt/],
  'a getter that throws': [() => ({ id, get expiresAt () { throw new Error('a getter') } }), /a getter/],
  'a Proxy that throws': [() => new Proxy({}, { ownKeys () { throw new Error('a trap') } }), /a trap/],
  false: [() => false, /must return an object with id, name, data, expiresAt/],
  true: [() => true, /must return an object with id, name, data, expiresAt/],
  'a string': [() => 'ada', /must return an object with id, name, data, expiresAt/],
  'an array': [() => ['ada'], /must return an object/]
}
for (const [title, [answer, why]] of Object.entries(wrongAnswers)) {
  t.test(`authenticate that returns ${title} closes with 1011 and logs the reason`, async (t) => {
    const room = await chat(t, { authenticate: () => answer() as { id: string } })
    const { app, tcp, plain } = room
    const client = await tcp()
    client.say({ type: 'hello' })
    t.match(await client.closed, { code: 1011 })
    t.match(await (await plain()).closed, { code: 1011 })
    t.match(await logged(app, 'the handler of a connection failed'), { level: 50, err: { code: 'FST_CHAT_HOOK_FAILED', message: why } })
    await left(room)
    t.match(app.chat.stats(), { connections: 0, members: 0, rooms: 0 }, 'no part of the answer is applied')
  })
}

t.test('each property of the result of authenticate is read once', async (t) => {
  const reads: string[] = []
  const counting = <T> (property: string, first: T, then: T) => ({
    enumerable: true,
    get () {
      const again = reads.includes(property)
      reads.push(property)
      return again ? then : first
    }
  })
  const { tcp } = await chat(t, {
    authenticate: () => Object.defineProperties({}, {
      id: counting('id', 'checked', 'another'),
      name: counting('name', 'Ada', 'x\nadmin'),
      data: counting<unknown>('data', { role: 'admin' }, 1n),
      expiresAt: counting('expiresAt', Infinity, 0)
    }) as { id: string }
  })
  t.strictSame((await (await tcp()).hello()).member, { id: 'checked', name: 'Ada', data: { role: 'admin' } })
  t.strictSame(reads, ['id', 'name', 'data', 'expiresAt'])
})

t.test('a plain client is authenticated by its query, and messages sent meanwhile are kept', async (t) => {
  const waits = gate()
  const hellos: unknown[] = []
  const { port } = await chat(t, {
    authenticate: async (request, hello) => {
      hellos.push(hello)
      await waits.pass()
      return { id: 'x', name: `${(request.query as { name: string }).name} of the app` }
    }
  })
  const client = await open(t, `ws://127.0.0.1:${port}/chat?name=ada`)
  for (let i = 0; i < 50; i++) client.socket.send(`${i}`)
  await waits.reached
  let greeted = false
  const greeting = client.next().finally(() => { greeted = true })
  await tick()
  t.notOk(greeted, 'the greeting follows the admission')
  waits.open()
  t.equal(await greeting, 'connected to WebSocket server')
  for (let i = 0; i < 50; i++) t.equal(await client.next(), `ada of the app: ${i}`)
  t.strictSame(hellos, [{ name: 'ada', token: undefined, session: undefined }])
})

t.test('a plain client that is not admitted receives no greeting', async (t) => {
  const { app, port } = await chat(t, { authenticate: (_request, { name }) => name === 'ada' ? { id: 'ada' } : null })
  await app.chat.ban('ada', { duration: 1_000_000 })
  for (const [name, code] of [['ada', 4403], ['bob', 4401]] as const) {
    const client = await open(t, `ws://127.0.0.1:${port}/chat?name=${name}`)
    await t.rejects(client.next(), name)
    t.match(await client.closed, { code })
  }
})

t.test('messages that a v1 client sends during authentication are kept in order', async (t) => {
  const waits = gate()
  let asked = 0
  const { tcp } = await chat(t, {
    authenticate: async () => {
      asked++
      await waits.pass()
      return { id: 'x' }
    }
  })
  const client = await tcp()
  client.say({ type: 'hello' })
  client.say({ type: 'hello' })
  client.say({ type: 'join', room: 'a' })
  for (let i = 0; i < 20; i++) client.post('a', `${i}`)
  await waits.reached
  waits.open()
  t.match(await client.take(3), [{ type: 'welcome' }, { type: 'error', code: 'hello' }, { type: 'joined' }])
  t.strictSame(texts(await client.take(40)), Array.from({ length: 20 }, (_, i) => `${i}`))
  t.equal(asked, 1)
})

t.test('a connection that ends during authentication leaves nothing behind', async (t) => {
  const waits = gate()
  const { app, tcp } = await chat(t, {
    authenticate: async () => {
      await waits.pass()
      return { id: 'x' }
    }
  })
  const client = await tcp()
  client.say({ type: 'hello' })
  client.say({ type: 'join', room: 'a' })
  await waits.reached
  client.socket.terminate()
  await logged(app, 'websocket closed')
  waits.open()
  await tick()
  t.match([app.chat.rooms(), app.chat.stats()], [[], { connections: 0, members: 0, rooms: 0 }])
})

t.test('a connection is closed with 4401 at expiresAt', async (t) => {
  mock.timers.enable({ apis: ['Date', 'setTimeout'], now: Date.now() })
  t.teardown(() => mock.timers.reset())
  let expiresAt: number | Date = Date.now() - 1
  const { app, tcp, plain } = await chat(t, { authenticate: () => ({ id: 'x', expiresAt }) })
  for (const past of [expiresAt, new Date(expiresAt)]) {
    expiresAt = past
    const client = await tcp()
    client.say({ type: 'hello' })
    t.strictSame(await client.closed, { code: 4401, reason: 'the authentication has expired' }, 'already expired')
  }
  expiresAt = new Date(Date.now() + 1_000)
  const [client, other] = [await tcp(), await plain()]
  await client.hello()
  await client.posted((await client.join('a')).room, 'meanwhile')
  mock.timers.tick(999)
  await client.posted('a', 'in time')
  mock.timers.tick(1)
  t.match(await client.closed, { code: 4401 })
  t.match(await other.closed, { code: 4401 })
  expiresAt = Infinity
  const forever = await tcp()
  await forever.hello()
  await forever.join('a')
  t.strictSame((await app.chat.history('a')).entries.map(({ text }) => text), ['meanwhile', 'in time'])
})

t.test('authorize decides on join, post and history, and receives member and room', async (t) => {
  const questions: unknown[] = []
  const denied = new Set<string>()
  const { member } = await chat(t, {
    authorize: async (question) => {
      questions.push([question.action, question.room, question.member.name])
      return !denied.has(`${question.action} ${question.room}`)
    }
  })
  const ada = await member({ name: 'ada' })
  denied.add('join secret')
  t.match(await ada.refused({ type: 'join', room: 'secret' }), { code: 'forbidden', room: 'secret' })
  t.match(await ada.refused({ type: 'post', room: 'secret', text: 'x', id: 'i' }), { code: 'not_joined' })
  const { position } = await ada.join('a')
  denied.add('post a').add('history a')
  t.match(await ada.refused({ type: 'post', room: 'a', text: 'x', id: 'i' }), { code: 'forbidden', room: 'a', id: 'i' })
  t.match(await ada.refused({ type: 'history', room: 'a', before: position, limit: 1 }), { code: 'forbidden', room: 'a' })
  denied.clear()
  await ada.posted('a', 'x', { id: 'i' })
  t.strictSame(questions, [['join', 'secret', 'ada'], ['join', 'a', 'ada'], ['join', 'a', 'ada'], ['post', 'a', 'ada'], ['history', 'a', 'ada'], ['post', 'a', 'ada']])
})

t.test('authorize allows only by returning true', async (t) => {
  for (const answer of [undefined, null, 0, 1, 'yes', {}]) {
    const { member } = await chat(t, { authorize: () => answer as boolean })
    t.match(await (await member()).refused({ type: 'join', room: 'a' }), { code: 'forbidden' }, JSON.stringify(answer))
  }
})

t.test('a plain client that may not join is closed with 4403; a refused post closes nothing', async (t) => {
  let may = 'nothing'
  const { app, plain, member } = await chat(t, { authorize: ({ action, room }) => room === 'open' || action === may })
  t.match(await (await plain()).closed, { code: 4403 })
  may = 'join'
  const client = await plain()
  client.socket.send('refused')
  await logged(app, 'refused')
  may = 'post'
  client.socket.send('accepted')
  t.equal(await client.next(), 'accepted')
  t.ok(await member({}, 'open'))
})

const faults: Record<string, () => unknown> = {
  'an Error': () => new Error('a fault'),
  nothing: () => undefined,
  null: () => null,
  'a string': () => 'no',
  "the app's own 403 error": () => httpError(403),
  "the app's own 503 error": () => httpError(503),
  'an error with an unknown code': () => Object.assign(new Error('x'), { code: 'constructor' })
}
for (const [title, fault] of Object.entries({ ...faults, 'an error whose message throws': unreadable })) {
  t.test(`a hook that throws ${title} closes only its connection, with 1011`, async (t) => {
    let failing = ''
    const fail = (hook: string) => async () => {
      if (failing === hook) throw fault()
      return true
    }
    const { tcp, plain, member } = await chat(t, {
      authorize: ({ action, member }) => member.name === 'other' || fail(action)(),
      onJoin: async ({ name }) => { if (name !== 'other') await fail('onJoin')() },
      onLeave: async ({ name }) => { if (name !== 'other') await fail('onLeave')() }
    })
    const other = await member({ name: 'other' }, 'lobby')
    const acts: Record<string, object> = {
      join: { type: 'join', room: 'new' },
      onJoin: { type: 'join', room: 'new' },
      post: { type: 'post', room: 'lobby', text: 'x', id: 'i' },
      history: { type: 'history', room: 'lobby', before: 'x', limit: 1 },
      onLeave: { type: 'leave', room: 'lobby' }
    }
    for (const [hook, act] of Object.entries(acts)) {
      failing = ''
      const client = await tcp()
      await client.hello()
      await client.join('lobby')
      failing = hook
      client.say(act)
      t.strictSame(await client.closed, { code: 1011, reason: 'internal error' }, hook)
    }
    for (const hook of ['join', 'onJoin', 'post']) {
      failing = hook === 'post' ? '' : hook
      const client = await plain()
      failing = hook
      client.socket.send('x')
      t.match(await client.closed, { code: 1011 }, `${hook}, plain`)
    }
    failing = ''
    await other.posted('lobby', 'still here')
  })
}

for (const [title, fault] of Object.entries({ ...faults, 'an error whose message throws': unreadable })) {
  t.test(`a hook of routeOptions that throws ${title} refuses the upgrade`, async (t) => {
    for (const hook of ['onRequest', 'preValidation', 'preHandler'] as const) {
      const app = await build(t, { routeOptions: { [hook]: async () => { throw fault() } } })
      await t.rejects(connect(app, '/chat'), { code: 'FST_CHAT_UPGRADE_REFUSED' }, hook)
      t.equal(app.chat.stats().connections, 0)
    }
  })
}

t.test('prePost changes the stored text, bytes and data, after the schema check', async (t) => {
  const { member, plain, app } = await chat(t, {
    dataSchema: { type: 'integer' },
    prePost: async (draft, { name }) => ({
      ...draft.text === undefined ? { bytes: Buffer.concat([draft.bytes, Buffer.of(255)]) } : { text: `${draft.text} by ${name} in ${draft.room}` },
      data: { was: draft.data }
    })
  })
  const ada = await member({ name: 'ada' }, 'lobby')
  const bob = await plain('?name=bob')
  ada.post('lobby', 'x', { data: 1 })
  t.match(await ada.take(2), [{ text: 'x by ada in lobby', data: { was: 1 } }, { type: 'ack' }])
  t.equal(await bob.next(), 'ada: x by ada in lobby')
  bob.socket.send(Buffer.of(1))
  t.match(await ada.next(), { bytes: 'Af8=' })
  t.match((await app.chat.history('lobby')).entries, [{ text: 'x by ada in lobby' }, { text: undefined, bytes: Buffer.of(1, 255) }])
})

t.test('a message that prePost made too large is refused, and the connection stays open', async (t) => {
  const { member, plain } = await chat(t, {
    limits: { chatPayload: 1_024, pendingBytes: 8_192 },
    prePost: (draft) => ({ text: String(draft.text).replace('grow', 'x'.repeat(3_000)) })
  })
  const ada = await member({}, 'lobby')
  t.match(await ada.refused({ type: 'post', room: 'lobby', text: 'grow', id: 'i' }), { code: 'refused', id: 'i', message: /3000 bytes.*2048/ })
  await ada.posted('lobby', 'x', { id: 'i' })
  const bob = await plain()
  bob.socket.send('grow')
  bob.socket.send('y')
  t.equal(await bob.next(), 'y')
})

t.test('lone surrogates that prePost returns are stored as U+FFFD', async (t) => {
  const { member } = await chat(t, { prePost: (draft) => ({ text: String(draft.text).slice(0, 2), data: [String(draft.text).slice(0, 2)] }) })
  const ada = await member({}, 'a')
  ada.post('a', 'x👋')
  t.match(await ada.take(2), [{ text: 'x\ufffd', data: ['x\ufffd'] }, { type: 'ack' }])
})

t.test('an error that prePost throws refuses the post with its message', async (t) => {
  const thrown: Record<string, unknown> = {
    'no %s here': new Error('no %s here'),
    words: 'words',
    undefined,
    null: null,
    'half \ufffd': new Error('half \ud83d'),
    'an error with an unreadable message': unreadable(),
    7: { toString: () => '7' }
  }
  for (const [message, error] of Object.entries(thrown)) {
    const { member, plain } = await chat(t, {
      prePost: (draft) => {
        if (draft.text === 'bad') throw error
        return draft
      }
    })
    const ada = await member({}, 'lobby')
    t.strictSame(await ada.refused({ type: 'post', room: 'lobby', text: 'bad', id: 'i' }), { type: 'error', code: 'refused', message, id: 'i', room: 'lobby', request: 'post' })
    await ada.posted('lobby', 'good', { id: 'i' })
    const bob = await plain()
    bob.socket.send('bad')
    bob.socket.send('good')
    t.equal(await bob.next(), 'good')
  }
})

for (const [title, answer] of Object.entries<unknown>({
  nothing: undefined,
  null: null,
  'a string': 'x',
  'neither text nor bytes': {},
  'both text and bytes': { text: 'x', bytes: Buffer.of(1) },
  'a text that is not a string': { text: 7 },
  'bytes that are not a Uint8Array': { bytes: 'x' },
  'an unknown property': { text: 'x', body: 'x' },
  'another room': { text: 'x', room: 'b' },
  'circular data': (() => { const data = {}; return { text: 'x', data: Object.assign(data, { data }) } })(),
  'data that is a bigint': { text: 'x', data: 10n },
  'data that is a function': { text: 'x', data: () => {} },
  'a getter that throws': { get text () { throw new Error('a getter') } }
})) {
  t.test(`prePost that returns ${title} refuses this post only, and logs the fault`, async (t) => {
    const { member, plain, app } = await chat(t, { prePost: (draft) => draft.text === 'bad' ? answer as typeof draft : draft })
    const ada = await member({}, 'lobby')
    t.strictSame(await ada.refused({ type: 'post', room: 'lobby', text: 'bad', id: 'i' }), {
      type: 'error', code: 'refused', message: 'the server failed to process this request', id: 'i', room: 'lobby', request: 'post'
    })
    t.match(await logged(app, 'the handler of a connection failed'), {
      level: 50, reqId: String, err: { code: 'FST_CHAT_PRE_POST_FAILED', message: /the hook 'prePost' failed: ./ }
    })
    await ada.posted('lobby', 'good', { id: 'i' })
    const bob = await plain()
    bob.socket.send('bad')
    bob.socket.send('good')
    t.equal(await bob.next(), 'good')
    t.equal((await app.chat.history('lobby')).head.offset, 2)
    t.match(app.chat.stats(), { refusals: { refused: 2 }, disconnects: {} })
  })
}

t.test('posts of one member stay in order although prePost is slow for some', async (t) => {
  const slow = gate()
  const stored: string[] = []
  const { member } = await chat(t, {
    backend: backendWith((works) => ({
      append (room, draft) {
        if (draft.body !== 'another is not kept waiting') stored.push(String(draft.body))
        return works.append(room, draft)
      }
    })),
    prePost: async (draft) => {
      if (draft.text === '0') await slow.pass()
      return draft
    }
  })
  const [ada, bob] = [await member({}, 'a', 'b'), await member({}, 'a')]
  for (let i = 0; i < 20; i++) ada.post(i % 3 === 0 ? 'a' : 'b', `${i}`)
  await slow.reached
  await bob.posted('a', 'another is not kept waiting')
  slow.open()
  const received = await ada.take(41)
  const inRoom = (room: string) => texts(received.filter((message) => message.type === 'message' && message.room === room))
  const own = Array.from({ length: 20 }, (_, i) => `${i}`)
  t.strictSame(inRoom('a'), ['another is not kept waiting', ...own.filter((_, i) => i % 3 === 0)])
  t.strictSame(inRoom('b'), own.filter((_, i) => i % 3 !== 0))
  t.strictSame(stored, own, 'the store receives them in order, whatever their room')
})

t.test('a repeat of an accepted post is not filtered again, even if the member is now muted', async (t) => {
  let filtered = 0
  let allowed = true
  const { member, app } = await chat(t, {
    authorize: ({ action }) => action === 'join' || allowed,
    prePost: (draft) => {
      filtered++
      return { text: `${draft.text} (filtered)` }
    }
  })
  const ada = await member({}, 'a')
  const since = (await app.chat.history('a')).head.position
  const position = await ada.posted('a', 'x', { id: 'i' })
  const { id } = (await app.chat.members('a')).members[0] ?? { id: (await app.chat.history('a')).entries[0]!.from!.id }
  allowed = false
  await app.chat.mute(id, { duration: 1_000_000 })
  ada.say({ type: 'post', room: 'a', text: 'x', id: 'i', since })
  t.strictSame(await ada.next(), { type: 'ack', id: 'i', room: 'a', position })
  t.equal(filtered, 1)
  t.match(await ada.refused({ type: 'post', room: 'a', text: 'y', id: 'i', since }), { code: 'reused_id' }, 'a repeat is compared with the text as sent, not as filtered')
  t.match(await ada.refused({ type: 'post', room: 'a', text: 'x', id: 'new', since }), { code: 'muted' })
})

t.test('onJoin and onLeave report each join and leave once, in order', async (t) => {
  const reported: string[] = []
  const leaves: Array<() => void> = []
  const { member, plain } = await chat(t, {
    onJoin: ({ name }, room) => { reported.push(`${name} joins ${room}`) },
    onLeave: ({ name }, room) => {
      reported.push(`${name} leaves ${room}`)
      leaves.shift()?.()
    }
  })
  const left = () => new Promise<void>((resolve) => { leaves.push(resolve) })
  const ada = await member({ name: 'ada' }, 'a', 'b')
  await ada.leave('a')
  const bob = await plain('?name=bob')
  bob.socket.send('x')
  await bob.next()
  const both = [left(), left()]
  ada.socket.terminate()
  await both[0]
  bob.socket.close()
  await both[1]
  t.strictSame(reported, ['ada joins a', 'ada joins b', 'ada leaves a', 'bob joins lobby', 'ada leaves b', 'bob leaves lobby'])
})

t.test('a member that disconnects while it joins is reported by both hooks or by neither', async (t) => {
  const reads = gate()
  const reported: string[] = []
  const { app, tcp } = await chat(t, {
    backend: backendWith((works) => ({
      async read (room, query) {
        if (room === 'slow') await reads.pass()
        return await works.read(room, query)
      }
    })),
    onJoin: (_, room) => { reported.push(`joins ${room}`) },
    onLeave: (_, room) => { reported.push(`leaves ${room}`) }
  })
  const client = await tcp()
  await client.hello()
  client.say({ type: 'join', room: 'slow' })
  await reads.reached
  client.socket.terminate()
  await logged(app, 'websocket closed')
  reads.open()
  await tick()
  await tick()
  const joins = reported.filter((what) => what.startsWith('joins')).length
  t.strictSame(reported, joins === 0 ? [] : ['joins slow', 'leaves slow'])
  t.strictSame(app.chat.rooms(), [])
})

t.test('a ban made while a hello is pending takes effect', async (t) => {
  const waits = gate()
  const roster = new MemoryRoster()
  const { restrictions } = roster
  roster.restrictions = async (who) => {
    const found = await restrictions.call(roster, who)
    await waits.pass()
    return found
  }
  const { app, tcp } = await chat(t, { backend: backendOf({ roster }), authenticate: () => ({ id: 'x' }) })
  const client = await tcp()
  client.say({ type: 'hello' })
  await waits.reached
  await app.chat.ban('x', { duration: 1_000_000, reason: 'out' })
  waits.open()
  t.strictSame(await client.closed, { code: 4403, reason: 'out' })
})

t.test('member ids and post ids that are equal when concatenated stay distinct', async (t) => {
  const { member } = await chat(t, { authenticate: (_, hello) => ({ id: String(hello?.token) }) })
  const tokens: Array<[token: string, id: string]> = [['a', 'b c'], ['a b', 'c'], ['', 'x'], ['1 a', 'b']]
  const everyone = await member({ token: 'all' }, 'a')
  for (const [token, id] of tokens.filter(([token]) => token !== '')) {
    const client = await member({ token }, 'a')
    await client.posted('a', 'the same', { id })
    t.match(await everyone.next(), { type: 'message', from: { id: token } })
    await client.end()
  }
})
