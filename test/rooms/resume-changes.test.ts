import t from 'tap'
import type { Test } from 'tap'
import { memory } from '../../src/drivers/memory/backend.ts'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { backendWith } from '../support/backend.ts'
import { full } from '../support/full.ts'
import { gate } from '../support/gate.ts'
import { RoomView, stateOf } from '../support/room-view.ts'
import { tick } from '../support/tick.ts'
import type { Message, V1Client } from '../support/v1-client.ts'

/** Returns pseudo-random numbers below a limit, the same ones in each run. */
function numbers (seed: number): (limit: number) => number {
  return (limit) => {
    seed = Math.imul(seed, 1_664_525) + 1_013_904_223 | 0
    return (seed >>> 8) % limit
  }
}

/** Publishes messages, and changes random ones of those in `positions`. Yields the number of each operation. */
async function * operations ({ app }: ChatApp, room: string, count: number, positions: string[] = [], pad = ''): AsyncGenerator<number> {
  const random = numbers(count)
  for (let i = 0; i < count; i++) {
    const position = positions[random(positions.length)]
    try {
      if (position === undefined || random(3) === 0) {
        positions.push(await app.chat.publish(room, { text: `${i}`, from: { id: 'bot', name: '' } }))
      } else if (random(8) === 0) {
        await app.chat.delete(room, position)
      } else if (random(2) === 0) {
        await app.chat.edit(room, position, { text: `${i}${pad}`, ...random(2) === 0 && { data: { i } } })
      } else {
        await app.chat.react(room, position, ['👍', '🎉'][random(2)]!, { by: ['ada', 'bob'][random(2)]!, on: random(3) > 0 })
      }
    } catch (error) {
      if ((error as { code?: string }).code !== 'FST_CHAT_DELETED') throw error
    }
    yield i
  }
}

async function all (operations: AsyncGenerator<number>): Promise<void> {
  while (!(await operations.next()).done);
}

const authenticate = (_: unknown, { token = '' }: { readonly token?: string | undefined } = {}) => ({ id: token, name: '' })

/** Connects a member that understands changes. */
async function named (server: ChatApp, token: string): Promise<V1Client> {
  const client = await server.injected()
  await client.hello({ token, changes: true })
  return client
}

/** Receives messages up to the one with the text `end`, and those that were written with it. */
async function viewed (client: V1Client, view: RoomView, onMessage: (message: Message) => void = () => {}): Promise<RoomView> {
  for (let message = await client.next(); message.type !== 'pong'; message = await client.next()) {
    const isEnd = (message.type === 'message' && message.text === 'end') || (message.type === 'joined' && message.messages.at(-1)?.text === 'end')
    if (message.type === 'joined' && isEnd) message.messages.pop()
    if (message.type !== 'message' || !isEnd) {
      view.receive(message)
      onMessage(message)
    }
    if (isEnd) client.say({ type: 'ping', id: 'end' })
  }
  return view
}

async function end ({ app }: ChatApp, room: string): Promise<void> { await app.chat.publish(room, { text: 'end' }) }

/** Asserts that a view has the state of the room. The last message of the room has the text `end`. */
async function matches (t: Test, { app }: ChatApp, room: string, view: RoomView, title: string): Promise<void> {
  const page = await app.chat.history(room, { limit: 10_000 })
  t.strictSame(view.state(false), stateOf({ ...page, entries: page.entries.filter(({ text }) => text !== 'end') }), title)
}

t.test('a client that is cut off after any message resumes to the state of one that stayed', async (t) => {
  const server = await chat(t, { authenticate })
  const stays = await named(server, 'ada')
  const first = new RoomView()
  first.receive(await stays.join('a'))
  const views = [new RoomView(first)]
  const seen = viewed(stays, first, () => views.push(new RoomView(first)))
  for await (const i of operations(server, 'a', 150)) if (i % 2 === 0) await tick()
  await end(server, 'a')
  await seen
  await matches(t, server, 'a', first, 'the client that stayed')
  t.ok(views.length > 80, `${views.length} cuts`)
  for (const [cut, view] of views.entries()) {
    const client = await named(server, 'ada')
    const joined = await client.join('a', { after: view.position, revision: view.revision })
    if (!joined.complete) t.fail(`cut ${cut}: incomplete`)
    for (const { text } of joined.messages.splice(-1)) t.equal(text, 'end')
    view.receive(joined)
    t.strictSame(view.state(), first.state(), `cut ${cut}`)
    client.socket.terminate()
  }
})

t.test('changed entries are sent by pages, and any of them can be the last before a cut', async (t) => {
  const server = await chat(t, { authenticate, backend: memory({ historyBytes: 64 * 1024 * 1024 }) })
  const first = await server.app.chat.publish('a', { text: 'first' })
  const positions: string[] = []
  await all(operations(server, 'a', 600, positions))
  const before = new RoomView()
  const away = await named(server, 'ada')
  before.receive(await away.join('a', { history: 1_000 }))
  away.socket.terminate()
  await all(operations(server, 'a', 1_200, positions, ' '.repeat(3_000)))
  await server.app.chat.react('a', first, 'last', { by: 'bot' })
  const { head: { position, change } } = await server.app.chat.history('a')

  const view = new RoomView(before)
  const views: RoomView[] = []
  const follow = async (view: RoomView, onMessage = () => {}) => {
    const client = await named(server, 'ada')
    const joined = await client.join('a', { after: view.position, revision: view.revision })
    if (!joined.complete) t.fail('incomplete')
    view.receive(joined)
    onMessage()
    while (view.position !== position || view.revision !== change.revision) {
      view.receive(await client.next())
      onMessage()
    }
    client.socket.terminate()
    return joined
  }
  const { changes = [], revision } = await follow(view, () => views.push(new RoomView(view)))
  t.ok(changes.length > 0, 'the first page has changes')
  t.equal(changes.at(-1)!.revision, revision, 'its revision is that of the last one')
  t.ok(views.length > 20, `${views.length - 1} messages followed`)
  await matches(t, server, 'a', view, 'the client that was away')
  for (const [cut, partial] of views.entries()) {
    if (cut % full(10, 40) > 0) continue
    await follow(partial)
    t.strictSame(partial.state(), view.state(), `cut ${cut}`)
  }
})

t.test('a client is told the oldest kept message if one that changed was removed meanwhile', async (t) => {
  const server = await chat(t, { authenticate, backend: memory({ historyEntries: 5 }) })
  const positions: string[] = []
  for (let i = 0; i < 5; i++) positions.push(await server.app.chat.publish('a', { text: `${i}` }))
  const view = new RoomView()
  view.receive(await (await named(server, 'ada')).join('a'))
  await server.app.chat.edit('a', positions[3]!, { text: 'kept' })
  const unchanged = await (await named(server, 'bob')).join('a', { after: view.position, revision: view.revision })
  t.strictSame(['oldest' in unchanged, unchanged.changes?.length], [false, 1])
  await server.app.chat.edit('a', positions[1]!, { text: 'trimmed' })
  for (let i = 5; i < 7; i++) await server.app.chat.publish('a', { text: `${i}` })
  const joined = await (await named(server, 'carl')).join('a', { after: view.position, revision: view.revision })
  t.match(joined, { complete: true, oldest: positions[2]!, changes: [{ position: positions[3]!, text: 'kept', whole: true, reactions: [] }] })
  view.receive(joined)
  t.strictSame(view.state(false), stateOf(await server.app.chat.history('a')))
})

t.test('a client is told the oldest kept message between two pages too', async (t) => {
  const second = gate()
  let pages = 0
  const server = await chat(t, {
    authenticate,
    backend: backendWith((works) => ({
      async read (room, query) {
        if (query.after !== undefined && ++pages === 2) await second.pass()
        return await works.read(room, query)
      }
    }))
  })
  const publish = async (count: number) => {
    const positions: string[] = []
    for (let i = 0; i < count; i++) positions.push(await server.app.chat.publish('a', { text: `${i}`.padEnd(1_000) }))
    return positions
  }
  const [first] = await publish(50)
  const [client, view] = [await named(server, 'ada'), new RoomView()]
  view.receive(await client.join('a'))
  await client.leave('a')
  await publish(200)
  client.say({ type: 'join', room: 'a', after: view.position, revision: view.revision })
  view.receive(await client.expect('joined'))
  await second.reached
  await server.app.chat.edit('a', first!, { text: 'edited, then removed' })
  await publish(775)
  const { entries: [oldest] } = await server.app.chat.history('a', { limit: 1_000 })
  second.open()
  const joined = await client.expect('joined')
  t.match(joined, { complete: true, oldest: oldest!.position })
  view.receive(joined)
  await server.app.chat.react('a', oldest!.position, '👍', { by: 'bob' })
  const { head: { position, change } } = await server.app.chat.history('a')
  while (view.position !== position || view.revision !== change.revision) view.receive(await client.next())
  await matches(t, server, 'a', view, 'in the end')
})

t.test('a revision that names no change of the room gets complete: false', async (t) => {
  const server = await chat(t, { authenticate })
  const position = await server.app.chat.publish('a', { text: '1' })
  const other = await server.app.chat.publish('b', { text: '1' })
  for (const text of ['2', '3']) await server.app.chat.edit('a', position, { text })
  await server.app.chat.edit('b', other, { text: '2' })
  const client = await named(server, 'ada')
  const { revision } = await client.join('a')
  const { revision: foreign } = await client.join('b')
  const revisions: Record<string, string> = {
    "another room's": foreign!,
    'of the future': revision!.replace(/c2$/, 'c3'),
    'of another time': revision!.replace(/-\d+-c/, '-1-c'),
    'a position': position,
    'that never was': 'rubbish'
  }
  for (const [title, wrong] of Object.entries(revisions)) {
    await client.leave('a')
    t.match(await client.join('a', { after: position, revision: wrong }), { complete: false, messages: [{ text: '3' }], revision, changes: [] }, title)
  }
  await client.leave('a')
  t.match(await client.join('a', { after: position, revision }), { complete: true, messages: [], revision, changes: [] })
})

t.test('a client that resumes without a revision receives no changes of earlier messages', async (t) => {
  const server = await chat(t)
  const position = await server.app.chat.publish('a', { text: '1' })
  await server.app.chat.edit('a', position, { text: '2' })
  await server.app.chat.publish('a', { text: 'next' })
  const { head } = await server.app.chat.history('a')
  const client = await server.member({ changes: true })
  t.match(await client.join('a', { after: position }), { complete: true, messages: [{ text: 'next' }], revision: head.change.revision, changes: [] })
})

for (const [title, delay] of Object.entries({ 'at once': 0, late: 5 })) {
  t.test(`clients that join while messages change see the same in the end: reads that end ${title}`, async (t) => {
    const random = numbers(1)
    const backend = backendWith((works) => ({
      async read (room, query) {
        const page = await works.read(room, query)
        for (let i = delay === 0 ? 0 : random(delay); i > 0; i--) await tick()
        return page
      }
    }))
    const server = await chat(t, { authenticate, backend })
    const positions: string[] = []
    await all(operations(server, 'a', 60, positions))
    const start = new RoomView()
    start.receive(await (await named(server, 'zoe')).join('a'))
    const views: Array<Promise<RoomView>> = []
    for await (const i of operations(server, 'a', full(600, 240), positions)) {
      if (i % 3 > 0) continue
      if (i % 2 > 0) await tick()
      const isBack = i % 2 === 0
      const view = new RoomView(isBack ? start : undefined)
      const client = await named(server, ['ada', 'bob', 'carl'][views.length % 3]!)
      client.say({ type: 'join', room: 'a', ...isBack ? { after: view.position, revision: view.revision } : { history: 1_000 } })
      views.push(viewed(client, view))
    }
    await end(server, 'a')
    const page = await server.app.chat.history('a', { limit: 1_000 })
    const expected = stateOf({ ...page, entries: page.entries.slice(0, -1) })
    for (const [i, view] of (await Promise.all(views)).entries()) t.strictSame(view.state(false), expected, `client ${i}`)
  })
}

t.test('a page that is read before changes and one that is read after them lead to the same state', async (t) => {
  const held = [gate(), gate()]
  let reads = 0
  const server = await chat(t, {
    authenticate,
    backend: backendWith((works) => ({
      async read (room, query) {
        const isEarly = reads === 0
        const hold = held[query.after === undefined ? 2 : reads++]
        if (hold === undefined) return await works.read(room, query)
        const early = isEarly ? await works.read(room, query) : undefined
        await hold.pass()
        return early ?? await works.read(room, query)
      }
    }))
  })
  const positions = [await server.app.chat.publish('a', { text: '1' }), await server.app.chat.publish('a', { text: '2' })]
  const follower = await named(server, 'zoe')
  const start = new RoomView()
  start.receive(await follower.join('a'))
  const views = []
  for (const hold of held) {
    const [client, view] = [await named(server, 'ada'), new RoomView(start)]
    client.say({ type: 'join', room: 'a', after: view.position, revision: view.revision })
    await hold.reached
    await server.app.chat.edit('a', positions[0]!, { text: `edit ${views.length}` })
    await server.app.chat.react('a', positions[1]!, '👍', { by: 'ada', on: views.length === 0 })
    await server.app.chat.publish('a', { text: `new ${views.length}` })
    for (let i = 0; i < 3; i++) await tick()
    hold.open()
    views.push(viewed(client, view))
  }
  await end(server, 'a')
  const page = await server.app.chat.history('a')
  for (const view of await Promise.all(views)) t.strictSame(view.state(false), stateOf({ ...page, entries: page.entries.slice(0, -1) }))
})
