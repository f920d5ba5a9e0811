import t from 'tap'
import type { Change, ClientRoom, Message } from '../../src/client/node.ts'
import { iteration } from '../../src/client/room/iteration.ts'
import { chatClient, fixJitter, nextEvent, state } from '../support/chat-client.ts'
import { changed, fakeServer, joined, message, welcome, welcomeWithChanges, type Answer } from '../support/fake-server.ts'

const editedAt = '2026-01-01T00:00:01.000Z'

/** Returns the answers of a server that supports changes. */
function answers (answer: Answer = () => undefined): Answer {
  return (message, connection) => answer(message, connection) ?? (
    message.type === 'hello'
      ? [welcomeWithChanges]
      : message.type === 'join' ? [joined(message['room'], { revision: 'r0', changes: [] })] : undefined)
}

t.test('each method sends its request, and resolves when it is acknowledged', async (t) => {
  const { port, requests } = await fakeServer(t, answers())
  const client = chatClient(t, port)
  t.strictSame(client.features, [])
  const room = await client.join('lobby')
  t.strictSame(client.features, ['changes'])
  t.equal(await room.edit('p1', 'two', { n: 2 }), undefined)
  t.equal(await room.delete('p1'), undefined)
  t.equal(await room.react('p1', '👍'), undefined)
  t.equal(await room.unreact('p1', '👍'), undefined)
  const [hello, , ...changes] = requests
  t.equal(hello?.['changes'], true)
  t.strictSame(changes.map(({ id, ...rest }) => rest), [
    { type: 'edit', room: 'lobby', position: 'p1', text: 'two', data: { n: 2 } },
    { type: 'delete', room: 'lobby', position: 'p1' },
    { type: 'react', room: 'lobby', position: 'p1', reaction: '👍', on: true },
    { type: 'react', room: 'lobby', position: 'p1', reaction: '👍', on: false }
  ])
  t.equal(new Set(changes.map(({ id }) => id)).size, 4)
})

t.test("a change rejects with the server's error", async (t) => {
  const { port } = await fakeServer(t, answers(({ type, id, room }) => type === 'edit'
    ? [{ type: 'error', code: 'not_kept', message: 'gone', request: type, id, room }]
    : undefined))
  const room = await chatClient(t, port).join('lobby')
  await t.rejects(room.edit('p1', 'two'), { code: 'not_kept', message: 'gone' })
})

t.test('a server without changes is sent none, and they reject as unsupported', async (t) => {
  const { port, requests } = await fakeServer(t)
  const client = chatClient(t, port)
  const room = await client.join('lobby')
  for (const change of [room.edit('p', 'x'), room.delete('p'), room.react('p', '👍'), room.unreact('p', '👍')]) {
    await t.rejects(change, { code: 'unsupported' })
  }
  t.equal(room.revision, undefined)
  t.strictSame(requests.map(({ type }) => type), ['hello', 'join'])
})

t.test('waiting changes reject when the server of the next connection has none', async (t) => {
  const { port, server } = await fakeServer(t, answers(({ type }, connection) => {
    if (type === 'edit') return (socket) => socket.terminate()
    return type === 'hello' && connection > 1 ? [welcome] : undefined
  }))
  const client = chatClient(t, port)
  const room = await client.join('lobby')
  const sent = room.edit('p1', 'two')
  const unsent = room.delete('p1')
  await t.rejects(sent, { code: 'unknown' })
  await t.rejects(unsent, { code: 'unsupported' })
  t.equal(server.clients.size, 1)
})

t.test('invalid changes reject locally, because the server would close the connection', async (t) => {
  const { port, requests } = await fakeServer(t, answers())
  const client = chatClient(t, port)
  const room = await client.join('lobby')
  const wrong: Array<() => Promise<unknown>> = [
    () => room.edit('', 'x'),
    () => room.edit('x'.repeat(129), 'x'),
    () => room.edit('p', 7 as unknown as string),
    () => room.edit('p', '\ud83d'),
    () => room.delete(undefined as unknown as string),
    () => room.react('p', ''),
    () => room.react('p', '👍'.repeat(65)),
    () => room.react('p', 'a\nb'),
    () => room.react('p', '\ud83d'),
    () => room.react('p', 7 as unknown as string),
    () => client.join('other', { revision: 'r1' }),
    () => client.join('other', { after: 'p1', revision: 'x'.repeat(129) })
  ]
  for (const ask of wrong) await t.rejects(ask(), { code: 'invalid' }, String(ask))
  await t.rejects(room.edit('p', 'x', 1n), TypeError)
  await t.rejects(room.edit('p', 'x'.repeat(20_000)), { code: 'too_large' })
  await room.react('p', '👍'.repeat(64))
  t.strictSame(requests.map(({ type }) => type), ['hello', 'join', 'react'])
})

t.test("joined and changed alone move the room's revision, and a reconnect sends it", async (t) => {
  const { port, requests, server } = await fakeServer(t, answers(({ type, room }, connection) => type === 'join'
    ? connection === 1
      ? [
          joined(room, { revision: 'r0', changes: [] }),
          message(room, 'p1', 'one'),
          changed(room, 'p1', 'r1', { text: 'two', editedAt }),
          { ...message(room, 'p2', 'two'), revision: 'r7' }
        ]
      : [joined(room, { position: 'p3', revision: 'r3', changes: [{ position: 'p1', revision: 'r3', text: 'x', reactions: [], whole: true }], oldest: 'p1' })]
    : undefined))
  const room = await chatClient(t, port).join('lobby')
  const change = await nextEvent(room, 'changed')
  t.strictSame(change, { type: 'changed', room: 'lobby', position: 'p1', revision: 'r1', text: 'two', editedAt })
  await room.react('p1', '👍')
  t.strictSame([room.position, room.revision], ['p2', 'r1'])
  const again = nextEvent(room, 'joined', ({ again }) => again)
  for (const socket of server.clients) socket.terminate()
  t.match(await again, { revision: 'r3', oldest: 'p1', changes: [{ position: 'p1', text: 'x' }] })
  t.strictSame([room.position, room.revision], ['p3', 'r3'])
  const { after, revision } = requests.filter(({ type }) => type === 'join')[1]!
  t.strictSame({ after, revision }, { after: 'p2', revision: 'r1' })
})

t.test('a position and a revision stored by the app resume with a later client', async (t) => {
  const { port, requests } = await fakeServer(t, answers())
  const room = await chatClient(t, port).join('lobby', { after: 'p9', revision: 'r9' })
  t.match(requests[1], { type: 'join', after: 'p9', revision: 'r9' })
  t.match(await nextEvent(room, 'joined'), { again: true })
})

t.test('after a reconnect posts and changes are repeated in order, under their ids', async (t) => {
  const { port, requests } = await fakeServer(t, answers(({ type, room }, connection) => {
    if (type === 'join' && connection > 1) return [joined(room, { position: 'p5', revision: 'r5', changes: [] })]
    if (connection > 1) return undefined
    if (type === 'react') return (socket) => socket.terminate()
    return ['post', 'edit', 'delete'].includes(type) ? [] : undefined
  }))
  const room = await chatClient(t, port).join('lobby')
  const all = [room.post('new'), room.edit('p1', 'two'), room.delete('p2'), room.react('p3', '👍')]
  t.match(await Promise.all(all), [/^p-/, undefined, undefined, undefined])
  const sent = requests.filter(({ id }) => id !== undefined)
  const [post, edit, deletion, reaction] = sent
  t.strictSame(sent.slice(4), [{ ...post, since: 'p0' }, { ...edit, since: 'r0' }, deletion, reaction])
})

t.test('the changes of a message are sent one at a time, those of others beside them', async (t) => {
  let refusals = 1
  const { port, requests } = await fakeServer(t, answers(({ type, id, room, text }) => type === 'edit' && text === 'one' && refusals-- > 0
    ? [{ type: 'error', code: 'unavailable', message: 'not now', request: type, id, room }]
    : undefined))
  const room = await chatClient(t, port).join('lobby')
  await Promise.all([room.edit('p1', 'one'), room.edit('p1', 'two'), room.react('p1', '👍'), room.edit('p2', 'other')])
  t.strictSame(requests.slice(2).map(({ text, reaction }) => text ?? reaction), ['one', 'other', 'one', 'two', '👍'])
})

t.test('a deletion costs as many requests as a page of history', async (t) => {
  const { port, requests } = await fakeServer(t, answers(({ type }) => type === 'hello'
    ? [{ ...welcomeWithChanges, limits: { rate: 0.001, burst: 10 } }]
    : undefined))
  const client = chatClient(t, port)
  const room = await client.join('lobby')
  const [first, second] = [room.delete('p1'), room.delete('p2')]
  await first
  client.close()
  await t.rejects(second, { code: 'closed' })
  t.equal(requests.filter(({ type }) => type === 'delete').length, 1, 'the join and a deletion use up the bucket of 5')
})

t.test('joins beyond the first of each possible room cost as many requests as a page of history', async (t) => {
  const { port, requests } = await fakeServer(t, answers(({ type }) => type === 'hello'
    ? [{ ...welcomeWithChanges, limits: { rate: 0.001, burst: 14, rooms: 2 } }]
    : undefined))
  const client = chatClient(t, port)
  await client.join('a')
  await client.join('b')
  await client.join('c')
  const last = client.join('d')
  client.close()
  await t.rejects(last, { code: 'closed' })
  t.strictSame(requests.map(({ room }) => room).slice(1), ['a', 'b', 'c'], 'three joins use up 6 of the bucket of 7')
})

t.test('changes in flight are not repeated as another member', async (t) => {
  const { port } = await fakeServer(t, answers(({ type }, connection) => {
    if (type === 'hello' && connection > 1) return [{ ...welcomeWithChanges, member: { id: 'other', name: '' } }]
    return type === 'edit' ? (socket) => socket.terminate() : undefined
  }))
  const room = await chatClient(t, port).join('lobby')
  await t.rejects(room.edit('p1', 'two'), { code: 'stale_post' })
})

t.test('a whole change without mine has it for reactions that are under way', async (t) => {
  const reactions = [{ reaction: '👍', count: 2 }, { reaction: '🎉', count: 1 }, { reaction: '🚀', count: 1, mine: true }]
  const { port } = await fakeServer(t, answers(({ type, room, id, position }) => type === 'react'
    ? [
        changed(room, 'p2', 'r1', { text: 'other', reactions, whole: true }),
        changed(room, 'p1', 'r2', { reactions: [{ reaction: '👍', count: 2 }] }),
        changed(room, 'p1', 'r3', { text: 'one', reactions, whole: true }),
        { type: 'ack', id, room, position, revision: 'r3' },
        changed(room, 'p1', 'r4', { text: 'one', reactions, whole: true })
      ]
    : undefined))
  const room = await chatClient(t, port).join('lobby')
  const seen: Array<boolean | undefined> = []
  const last = nextEvent(room, 'changed', ({ revision }) => revision === 'r4')
  room.on('changed', ({ reactions }) => { for (const { mine } of reactions!) seen.push(mine) })
  await room.react('p1', '👍')
  await last
  t.strictSame(seen, [undefined, undefined, true, undefined, true, undefined, true, undefined, undefined, true])
})

/** Resolves with a room whose next `history` is answered with these messages, and the requests for pages. */
async function roomWithHistory (t: Parameters<typeof fakeServer>[0], said: (page: object) => object[]): Promise<{ room: ClientRoom, pages: () => number }> {
  const { port, requests } = await fakeServer(t, answers(({ type, room, before }) => type === 'history'
    ? (socket) => {
        const messages = [message(room, 'p1', 'one'), message(room, 'p2', 'two')].map(({ type: _type, ...rest }) => rest)
        const page = { type: 'history', room, before, messages, more: false, complete: true, revision: 'r9' }
        // In one packet, so that all messages are received in one tick.
        const raw = socket as unknown as { _socket: { cork (): void, uncork (): void } }
        raw._socket.cork()
        for (const each of said(page)) socket.send(JSON.stringify(each))
        raw._socket.uncork()
      }
    : undefined))
  return { room: await chatClient(t, port).join('lobby'), pages: () => requests.filter(({ type }) => type === 'history').length }
}

t.test('changes that arrive while a page of history is under way are part of the page', async (t) => {
  for (const [when, said] of [
    ['before the page', (page: object) => [changed('lobby', 'p2', 'r1', { text: 'changed', editedAt }), page]],
    ['before the page, in a new view', (page: object) => [
      {
        type: 'joined',
        room: 'lobby',
        members: [],
        count: 0,
        messages: [],
        position: 'p9',
        complete: true,
        revision: 'r1',
        changes: [{ position: 'p2', revision: 'r1', text: 'changed', editedAt, reactions: [], whole: true }]
      },
      page
    ]],
    ['after it, in one packet', (page: object) => [page, changed('lobby', 'p2', 'r1', { text: 'changed', editedAt })]]
  ] as const) {
    const { room } = await roomWithHistory(t, said)
    const { messages } = await room.history('p3')
    t.strictSame(messages.map(({ text }) => text), ['one', 'changed'], when)
    t.equal(room.revision, 'r1', 'the page does not move the revision')
  }
})

t.test('a page that more than 1,000 changes overtake is requested again', async (t) => {
  let asked = 0
  const { room, pages } = await roomWithHistory(t, (page) => asked++ === 0
    ? [...Array.from({ length: 1_001 }, (_, i) => changed('lobby', 'p2', `r${i}`, { text: `old ${i}`, editedAt })), page]
    : [page])
  const { messages } = await room.history('p3')
  t.strictSame(messages.map(({ text }) => text), ['one', 'two'])
  t.equal(pages(), 2)
})

t.test('an iteration yields each message as it is by then', async (t) => {
  const loop = iteration(() => {})
  const entry = (position: string, text: string) => message('lobby', position, text) as unknown as Message
  const change = (position: string, text: string): Change => ({ position, revision: 'r1', text, editedAt })
  const first = loop.next()
  loop.push(entry('p1', 'one'))
  loop.apply(change('p1', 'changed in the tick in which it arrived'))
  t.match((await first).value, { text: 'changed in the tick in which it arrived' })
  loop.push(entry('p2', 'two'))
  loop.push(entry('p3', 'three'))
  await Promise.resolve()
  loop.apply(change('p2', 'changed while it waited'))
  loop.apply(change('p1', 'of a message that was yielded already'))
  t.match(await loop.next(), { value: { position: 'p2', text: 'changed while it waited' } })
  t.match(await loop.next(), { value: { position: 'p3', text: 'three' } })
})

t.test('a loop over a room yields changes that were missed while offline', async (t) => {
  const { port, server } = await fakeServer(t, answers(({ type, room }, connection) => type === 'join'
    ? connection === 1
      ? [joined(room, { revision: 'r0', changes: [] }), message(room, 'p1', 'one'), message(room, 'p2', 'two')]
      : [joined(room, {
          position: 'p3',
          messages: [message(room, 'p3', 'three')],
          revision: 'r1',
          changes: [{ position: 'p2', revision: 'r1', text: 'changed', editedAt, reactions: [], whole: true }]
        })]
    : undefined))
  const client = chatClient(t, port)
  const room = await client.join('lobby')
  const loop = room[Symbol.asyncIterator]()
  t.match(await loop.next(), { value: { text: 'one' } })
  const again = nextEvent(room, 'joined', ({ again }) => again)
  for (const socket of server.clients) socket.terminate()
  await again
  t.match(await loop.next(), { value: { text: 'changed' } })
  t.match(await loop.next(), { value: { text: 'three' } })
})

t.test('a change made offline is sent on reconnect, with the revision of then', async (t) => {
  const { port, requests, server } = await fakeServer(t, answers(({ type, room }, connection) => type === 'join' && connection > 1
    ? [joined(room, { position: 'p5', revision: 'r5', changes: [] })]
    : undefined))
  fixJitter(t, 1)
  const client = chatClient(t, port)
  const room = await client.join('lobby')
  for (const socket of server.clients) socket.terminate()
  await state(client, 'waiting')
  await room.edit('p1', 'two')
  const edits = requests.filter(({ type }) => type === 'edit')
  t.equal(edits.length, 1)
  t.notOk('since' in edits[0]!)
})
