import t, { type Test } from 'tap'
import type { Message } from '../../src/client/node.ts'
import { chatClient } from '../support/chat-client.ts'
import { ClientView } from '../support/client-view.ts'
import { changed, fakeServer, joined, message, welcomeWithChanges } from '../support/fake-server.ts'

type Sent = ReturnType<typeof joined>

const began = { ...message('lobby', 'p1', 'ab'), streaming: true }
const piece = (revision: string, at: number, text: string, rest: object = {}) => changed('lobby', 'p1', revision, { appended: { at, text }, ...rest })
const whole = (text: string, revision: string, rest: object = {}) => ({ position: 'p1', revision, text, reactions: [], whole: true, ...rest })

/** Connects a client to a server that sends these messages after each of its joins. */
async function client (t: Test, ...sent: Sent[][]) {
  const { port, requests, server } = await fakeServer(t, ({ type, room }, connection) => {
    if (type === 'hello') return [welcomeWithChanges]
    return type === 'join' ? sent[connection - 1] ?? [joined(room, { revision: 'r9', changes: [] })] : undefined
  })
  const client = chatClient(t, port)
  const room = await client.join('lobby')
  const revisions: string[] = []
  room.on('changed', ({ revision }) => revisions.push(revision))
  /** Resolves when the room has emitted a change with this revision. */
  const changedTo = (revision: string) => new Promise<void>((resolve) => {
    const check = () => { if (revisions.includes(revision)) resolve() }
    room.on('changed', check)
    check()
  })
  return { client, room, view: new ClientView(room), revisions, changedTo, requests, server }
}

const start = (rest: object = {}) => joined('lobby', { revision: 'r0', changes: [], ...rest })

function messageOf (view: ClientView): Pick<Message, 'text' | 'streaming' | 'unfinished'> {
  const { text, streaming, unfinished } = view.messages.get('p1')!
  return { text: text!, ...streaming && { streaming }, ...unfinished && { unfinished } }
}

t.test('a streamed message is delivered when it begins, and its growth as changes', async (t) => {
  const { server, room, view, changedTo } = await client(t, [start(), began, piece('r1', 2, 'c😀'), piece('r2', 4, 'd')])
  await changedTo('r2')
  t.strictSame(messageOf(view), { text: 'abc😀d', streaming: true })
  for (const socket of server.clients) socket.send(JSON.stringify(changed('lobby', 'p1', 'r3', { ended: true, unfinished: true })))
  await changedTo('r3')
  t.strictSame(messageOf(view), { text: 'abc😀d', unfinished: true })
  t.strictSame([room.position, room.revision], ['p1', 'r3'])
})

t.test('a loop receives a streamed message with the text that it has by then', async (t) => {
  const { port } = await fakeServer(t, ({ type }) => type === 'hello' ? [welcomeWithChanges] : type === 'join' ? [start(), began, piece('r1', 2, 'c')] : undefined)
  const room = await chatClient(t, port).join('lobby')
  t.match(await room[Symbol.asyncIterator]().next(), { value: { text: 'abc', streaming: true } })
})

/** Messages of a first connection after which text is missing, by what the client has of the text. */
const gaps: Record<string, Sent[]> = {
  'a message': [start(), began, piece('r1', 2, 'c'), piece('r2', 4, 'e')],
  'the messages of joined': [start({ messages: [began] }), piece('r1', 2, 'c'), piece('r2', 4, 'e')],
  'a whole change': [start(), changed('lobby', 'p1', 'r0', whole('ab', 'r0', { streaming: true })), piece('r1', 2, 'c'), piece('r2', 4, 'e')],
  'the changes of a message that it does not have': [start(), piece('r0', 7, 'ab'), piece('r1', 9, 'c'), piece('r2', 11, 'e')],
  'text with an overlap': [start(), began, piece('r0', 1, 'bcd'), piece('r1', 2, 'c'), piece('r2', 4, 'e', { ended: true })]
}

for (const [what, sent] of Object.entries(gaps)) {
  t.test(`missing text after ${what} makes the client resume from before it`, async (t) => {
    const again = joined('lobby', { position: 'p1', revision: 'r2', changes: [whole('abcde', 'r2', { streaming: true })] })
    const { revisions, changedTo, requests } = await client(t, sent, [again, piece('r3', 5, 'f')])
    await changedTo('r3')
    t.strictSame(revisions.filter((revision) => revision !== 'r0'), ['r1', 'r3'], 'the change after the gap is not delivered')
    t.match(requests.filter(({ type }) => type === 'join')[1], { after: /^p[01]$/, revision: 'r1' })
  })
}

t.test('a view is right again after a gap', async (t) => {
  const again = joined('lobby', { position: 'p1', revision: 'r2', changes: [whole('abcde', 'r2', { streaming: true })] })
  const { view, changedTo, requests } = await client(t, [start(), began, piece('r2', 3, 'e')], [again, piece('r3', 5, 'f', { ended: true })])
  await changedTo('r3')
  t.strictSame(messageOf(view), { text: 'abcdef' })
  t.match(requests.filter(({ type }) => type === 'join')[1], { after: 'p1', revision: 'r0' })
})

t.test('text at any place of a message whose length is unknown is no gap', async (t) => {
  const ended = [changed('lobby', 'p1', 'r2', { ended: true }), piece('r3', 9, 'x')]
  const deleted = [began, changed('lobby', 'p1', 'r4', { deleted: true }), piece('r5', 9, 'x')]
  const finished = [began, changed('lobby', 'p1', 'r6', whole('abc', 'r6')), piece('r7', 9, 'x')]
  const { client: ofRoom, changedTo, server } = await client(t, [start(), began, piece('r1', 1, 'bc'), ...ended, ...deleted, ...finished,
    began, joined('lobby', { complete: false, position: 'p5', revision: 'r8' }), piece('r9', 9, 'x')])
  await changedTo('r9')
  t.equal(ofRoom.status.state, 'online')
  t.equal(server.clients.size, 1)
})

t.test('a page of history has the text that arrived while it was under way', async (t) => {
  const { port } = await fakeServer(t, ({ type, room, before }) => {
    if (type === 'hello') return [welcomeWithChanges]
    if (type === 'join') return [joined(room, { revision: 'r0', changes: [] })]
    if (type !== 'history') return undefined
    return [piece('r1', 2, 'c'), { type, room, before, messages: [before === 'edited' ? { ...began, text: 'x', streaming: undefined } : began], more: false, complete: true }, piece('r2', 3, 'd')]
  })
  const room = await chatClient(t, port).join('lobby')
  t.match((await room.history('p2')).messages, [{ text: 'abcd', streaming: true }])
  t.match((await room.history('edited')).messages, [{ text: 'x' }])
})

for (const [problem, rest] of Object.entries({
  'an invalid place': { appended: { at: -1, text: 'x' } },
  'a fraction as its place': { appended: { at: 0.5, text: 'x' } },
  'appended without text': { appended: { at: 2 } }
})) {
  t.test(`a change with ${problem} ends the connection`, async (t) => {
    const { revisions, changedTo } = await client(t, [start(), began, changed('lobby', 'p1', 'r1', rest)], [start(), changed('lobby', 'p1', 'r2', { ended: true })])
    await changedTo('r2')
    t.strictSame(revisions, ['r2'])
  })
}
