import { mock } from 'node:test'
import t, { type Test } from 'tap'
import type { StoredItem, Timeline, TimelineItem } from '../../src/client/index.ts'
import { typingMembers } from '../../src/client/room/timeline/typing-members.ts'
import { memory } from '../../src/index.ts'
import { chat } from '../support/chat-app.ts'
import { chatClient, nextEvent, state } from '../support/chat-client.ts'
import { changed, fakeServer, joined, message, welcome, type Answer } from '../support/fake-server.ts'
import { gate } from '../support/gate.ts'
import { proxy } from '../support/proxy.ts'
import { tick } from '../support/tick.ts'

/** Resolves with a client with a timeline, and another member of the room. */
async function two (t: Test, { posts = 0, size, historyEntries = 10_000 }: { posts?: number, size?: number, historyEntries?: number } = {}) {
  const { app, port } = await chat(t, {
    backend: memory({ historyEntries }),
    prePost: (draft) => {
      if (draft.text === 'refuse') throw new Error('not allowed')
      return draft
    }
  })
  const bob = await chatClient(t, port, { name: 'bob' }).join('lobby')
  for (let n = 1; n <= posts; n++) await app.chat.publish('lobby', { text: String(n) })
  const network = await proxy(t, port)
  const client = chatClient(t, network.port, { name: 'ada' })
  const room = await client.join('lobby', { history: 50 })
  const timeline = room.timeline({ size })
  await until(timeline, ({ length }) => length === Math.min(posts, 50))
  return { app, port, network, client, room, bob, timeline }
}

/** Resolves when the items satisfy the predicate. */
async function until (timeline: Timeline, satisfies: (items: readonly TimelineItem[]) => boolean): Promise<void> {
  while (!satisfies(timeline.getSnapshot().items)) await tick()
}

const has = (text: string) => (items: readonly TimelineItem[]) => items.some((item) => item.text === text)

function texts (timeline: Timeline): Array<string | undefined> { return timeline.getSnapshot().items.map(({ text }) => text) }

/** Returns the first and the last text, and whether there are others. */
function ends (timeline: Timeline): object {
  const { items, hasOlder, hasNewer } = timeline.getSnapshot()
  return { first: items[0]?.text, last: items.at(-1)?.text, hasOlder, hasNewer }
}

t.test('messages are items, with their positions as keys', async (t) => {
  const { room, bob, timeline } = await two(t)
  const position = await bob.post('one', { n: 1 })
  await until(timeline, has('one'))
  t.match(timeline.getSnapshot().items, [{ key: position, position, state: 'stored', own: false, text: 'one', data: { n: 1 }, from: { name: 'bob' } }])
  t.equal(timeline.getSnapshot().items.length, 1)
  await room.post('two')
  t.match(timeline.getSnapshot().items[1], { own: true, state: 'stored', from: { name: 'ada' } })
})

t.test('an acknowledged post is shown as stored while a later one waits for its answer', async (t) => {
  const slow = gate()
  const { port } = await chat(t, {
    prePost: async (draft) => {
      if (draft.text === 'slow') await slow.pass()
      return draft
    }
  })
  const room = await chatClient(t, port, { name: 'ada' }).join('lobby')
  const timeline = room.timeline()
  const first = room.post('first')
  const second = room.post('slow')
  await first
  await slow.reached
  t.match(timeline.getSnapshot().items, [{ text: 'first', state: 'stored' }, { text: 'slow', state: 'pending' }])
  slow.open()
  await second
  await until(timeline, (items) => items.every(({ state }) => state === 'stored'))
  t.strictSame(texts(timeline), ['first', 'slow'])
})

t.test('a jump that is under way is dropped by a later one, and by a jump to the newest messages', async (t) => {
  const { app, timeline } = await two(t, { posts: 200 })
  const { entries } = await app.chat.history('lobby', { limit: 200 })
  const newest = ends(timeline)
  t.match(newest, { last: '200', hasNewer: false })
  for (const later of [() => timeline.jumpToNewest(), () => timeline.jumpTo(entries[190]!.position)]) {
    await Promise.all([timeline.jumpTo(entries[10]!.position), later()])
    t.strictSame(ends(timeline), newest)
  }
  await timeline.jumpTo(entries[10]!.position)
  t.match(ends(timeline), { hasNewer: true })
})

t.test('a post is pending at once, and keeps its key when it is stored', async (t) => {
  const { client, room, bob, timeline } = await two(t)
  const { member } = await state(client, 'online')
  const post = room.post('mine', { n: 1 })
  const [pending] = timeline.getSnapshot().items
  t.match(pending, { key: post.id, state: 'pending', own: true, text: 'mine', data: { n: 1 }, from: member })
  t.ok(Math.abs(Date.parse(pending!.at) - Date.now()) < 60_000)
  const position = await post
  t.match(timeline.getSnapshot().items, [{ key: post.id, state: 'stored', position, own: true, text: 'mine' }])
  await bob.post('later')
  await until(timeline, has('later'))
  t.strictSame(texts(timeline), ['mine', 'later'])
})

t.test('pending posts are below the messages that arrive meanwhile', async (t) => {
  const { port, network, room, bob, timeline } = await two(t)
  network.target = undefined
  network.cut()
  const posts = [room.post('first'), room.post('second')]
  t.strictSame(texts(timeline), ['first', 'second'])
  await bob.post('meanwhile')
  network.target = port
  await Promise.all(posts)
  t.strictSame(texts(timeline), ['meanwhile', 'first', 'second'])
  t.strictSame(timeline.getSnapshot().items.slice(1).map(({ key }) => key), posts.map(({ id }) => id))
})

t.test('a post whose ack was lost is shown once after the reconnect, under its key', async (t) => {
  const { network, room, bob, timeline } = await two(t)
  const arrived = nextEvent(bob, 'message')
  network.silence()
  const post = room.post('mine')
  await arrived
  network.cut()
  const keys = new Set<string>()
  timeline.subscribe(() => { for (const { key } of timeline.getSnapshot().items) keys.add(key) })
  await post
  await until(timeline, (items) => items[0]?.state === 'stored')
  t.strictSame(texts(timeline), ['mine'])
  t.strictSame([...keys], [post.id])
})

t.test('posts with the same text from two devices are two items', async (t) => {
  const { port, client, room, timeline } = await two(t)
  const { session } = await state(client, 'online')
  const device = await chatClient(t, port, { session }).join('lobby')
  const posts = [room.post('same'), device.post('same'), room.post('same'), device.post('same')]
  const positions = await Promise.all(posts)
  await until(timeline, (items) => items.length === 4 && items.every(({ state }) => state === 'stored'))
  const keys = new Map(timeline.getSnapshot().items.map((item) => ['position' in item && item.position, item.key]))
  t.strictSame(positions.map((position) => keys.get(position)), [posts[0]!.id, positions[1], posts[2]!.id, positions[3]])
})

t.test('a refused post has failed, and can be retried and discarded', async (t) => {
  const { room, timeline } = await two(t)
  const failed = room.post('refuse', { n: 1 })
  await t.rejects(failed, { code: 'refused' })
  await room.post('next')
  t.match(timeline.getSnapshot().items, [{ text: 'next' }, { key: failed.id, state: 'failed', error: { code: 'refused', message: 'not allowed' } }])
  const waiting = room.post('other')
  timeline.retry(failed.id)
  t.match(timeline.getSnapshot().items.map(({ text, state, data }) => [text, state, data]), [['next', 'stored'], ['other', 'pending'], ['refuse', 'pending', { n: 1 }]])
  await waiting
  await until(timeline, (items) => items.at(-1)?.state === 'failed')
  const { key } = timeline.getSnapshot().items.at(-1)!
  t.not(key, failed.id)
  timeline.discard('unknown')
  timeline.discard(key)
  t.strictSame(texts(timeline), ['next', 'other'])
  await t.rejects(room.post('x'.repeat(20_000)), { code: 'too_large' })
  t.match(timeline.getSnapshot().items.at(-1), { state: 'failed', error: { code: 'too_large' } })
})

t.test('the window is bounded at both ends, and everything stays reachable', async (t) => {
  const { app, bob, timeline } = await two(t, { posts: 130, size: 50 })
  t.strictSame(ends(timeline), { first: '81', last: '130', hasOlder: true, hasNewer: false })
  const loading = timeline.loadOlder(40)
  t.equal(timeline.loadOlder(), loading, 'one load at a time')
  t.equal(timeline.getSnapshot().loading, 'older')
  await loading
  t.equal(timeline.getSnapshot().loading, undefined)
  t.strictSame(ends(timeline), { first: '41', last: '90', hasOlder: true, hasNewer: true })
  await bob.post('131')
  t.strictSame(ends(timeline), { first: '41', last: '90', hasOlder: true, hasNewer: true }, 'a live message is not joined to older ones')
  await timeline.loadOlder(100)
  t.strictSame(ends(timeline), { first: '1', last: '50', hasOlder: false, hasNewer: true })
  await timeline.loadOlder()
  await timeline.loadNewer(30)
  t.strictSame(ends(timeline), { first: '31', last: '80', hasOlder: true, hasNewer: true })
  await timeline.loadNewer(51)
  t.strictSame(ends(timeline), { first: '82', last: '131', hasOlder: true, hasNewer: false })
  await app.chat.publish('lobby', { text: '132' })
  await until(timeline, has('132'))
  t.strictSame(ends(timeline), { first: '83', last: '132', hasOlder: true, hasNewer: false }, 'live messages trim the oldest end')
  await timeline.loadOlder()
  await timeline.jumpToNewest()
  t.strictSame(ends(timeline), { first: '107', last: '132', hasOlder: true, hasNewer: false })
})

t.test('live messages during the last page of newer ones are joined to it', async (t) => {
  const { app, timeline } = await two(t, { posts: 60, size: 50 })
  await timeline.loadOlder(10)
  const loading = timeline.loadNewer(50)
  await Promise.all(Array.from({ length: 9 }, async (_, i) => await app.chat.publish('lobby', { text: String(61 + i) })))
  await loading
  await until(timeline, has('69'))
  t.strictSame(texts(timeline), Array.from({ length: 50 }, (_, i) => String(20 + i)))
})

t.test('while the user does not follow, later messages leave the oldest ones in sight', async (t) => {
  const { app, timeline } = await two(t, { posts: 50, size: 50 })
  timeline.follow(false)
  for (let n = 51; n <= 70; n++) await app.chat.publish('lobby', { text: String(n) })
  await until(timeline, has('70'))
  t.strictSame(ends(timeline), { first: '1', last: '70', hasOlder: true, hasNewer: false })
  timeline.follow(true)
  t.strictSame(ends(timeline), { first: '21', last: '70', hasOlder: true, hasNewer: false })
  timeline.follow(false)
  for (let n = 71; n <= 121; n++) await app.chat.publish('lobby', { text: String(n) })
  while (!timeline.getSnapshot().hasNewer) await tick()
  t.strictSame(ends(timeline), { first: '21', last: '120', hasOlder: true, hasNewer: true }, 'the window is bounded')
})

t.test('a jump shows the messages around a position', async (t) => {
  const { app, room, timeline } = await two(t, { posts: 130, size: 50 })
  const { entries } = await app.chat.history('lobby', { limit: 1_000 })
  const positionOf = (text: number) => entries[text - 1]!.position as unknown as string
  await timeline.jumpTo(positionOf(60))
  t.strictSame(ends(timeline), { first: '35', last: '84', hasOlder: true, hasNewer: true })
  await timeline.jumpTo(positionOf(1))
  t.strictSame(ends(timeline), { first: '1', last: '26', hasOlder: false, hasNewer: true }, 'the oldest message of the room')
  const before = timeline.getSnapshot()
  await timeline.jumpTo(positionOf(20))
  t.equal(timeline.getSnapshot(), before, 'a message of the window needs no jump')
  await t.rejects(timeline.jumpTo('none-1'), { code: 'not_kept' })
  t.equal(timeline.getSnapshot().items, before.items)
  await t.rejects(timeline.jumpTo(''), { code: 'invalid' })
  const first = timeline.jumpTo(positionOf(80))
  await Promise.all([first, timeline.jumpTo(positionOf(115))])
  t.ok(has('115')(timeline.getSnapshot().items), 'the last of two jumps wins')
  room.leave()
  await t.rejects(timeline.loadOlder(), { code: 'offline' })
})

/** Resolves with a timeline of a room with the messages p8 and p9. @param after answers a request for the page that begins with p4 */
async function beforeJump (t: Test, after: (room: unknown, connection: number) => ReturnType<Answer>) {
  const { port } = await fakeServer(t, ({ type, room, before }, connection) => {
    if (type === 'hello') return [{ ...welcome, features: ['history-after'] }]
    if (type === 'join') return [joined(room, { messages: [message(room, 'p8', '8'), message(room, 'p9', '9')], position: 'p9' })]
    if (type !== 'history') return undefined
    if (before === undefined) return after(room, connection)
    return [message(room, 'p10', '10'), { type, room, before, messages: [message(room, 'p3', '3')], more: true, complete: true }]
  })
  const room = await chatClient(t, port).join('lobby')
  const timeline = room.timeline()
  await until(timeline, has('9'))
  return { room, timeline }
}

t.test('a jump whose second page is lost leaves the window as it was', async (t) => {
  const { room, timeline } = await beforeJump(t, () => (socket) => socket.terminate())
  const before = timeline.getSnapshot()
  const again = nextEvent(room, 'joined', ({ again }) => again)
  await t.rejects(timeline.jumpTo('p4'), { code: 'offline' })
  t.equal(timeline.getSnapshot().items[0], before.items[0])
  t.equal(timeline.getSnapshot().hasNewer, false)
  await again
})

t.test('messages and changes that arrive during a jump are in its window', async (t) => {
  const { timeline } = await beforeJump(t, (room) => [
    message(room, 'p11', '11'),
    changed(room, 'p3', 'r1', { text: 'three', editedAt: '2026-01-01T00:00:01.000Z' }),
    { type: 'history', room, after: 'p3', messages: ['4', '9', '10'].map((n) => message(room, `p${n}`, n)), more: false, complete: true }
  ])
  await timeline.jumpTo('p4')
  t.strictSame(texts(timeline), ['three', '4', '9', '10', '11'])
  t.equal(timeline.getSnapshot().hasNewer, false)
})

t.test('a post with invalid data has failed, and stays so after the end of the timeline', async (t) => {
  const { room, timeline } = await two(t)
  const post = room.post('mine', { n: 1n })
  await t.rejects(post, TypeError)
  t.match(timeline.getSnapshot().items, [{ key: post.id, state: 'failed', error: { code: 'invalid', message: /BigInt/ } }])
  timeline.retry(post.id)
  await until(timeline, ([item]) => item?.key !== post.id && item?.state === 'failed')
  const [{ key }] = timeline.getSnapshot().items as [TimelineItem]
  timeline.close()
  timeline.retry(key)
  await tick()
  t.match(timeline.getSnapshot().items, [{ key, state: 'failed' }])
})

t.test('a room joined without messages can be read from its newest one', async (t) => {
  const { port, app } = await two(t, { posts: 3 })
  for (const [name, wanted] of [['lobby', ['1', '2', '3']], ['empty', []]] as const) {
    const timeline = (await chatClient(t, port).join(name, { history: 0 })).timeline()
    await tick()
    t.strictSame(texts(timeline), [])
    await timeline.loadOlder()
    t.match(timeline.getSnapshot(), { hasOlder: false, hasNewer: false, items: wanted.map((text) => ({ text })) })
    await app.chat.publish(name, { text: 'live' })
    await until(timeline, has('live'))
    t.strictSame(texts(timeline), [...wanted, 'live'])
  }
})

t.test('changes are folded, those during a page included', async (t) => {
  const { app, room, timeline } = await two(t, { posts: 60 })
  const { entries } = await app.chat.history('lobby', { limit: 60 })
  const [old, recent] = [entries[5]!.position, entries[55]!.position]
  const loading = timeline.loadOlder()
  const changes = [app.chat.edit('lobby', old, { text: 'edited' }), app.chat.delete('lobby', recent), room.react(recent as unknown as string, '👍').catch(() => {})]
  await Promise.all([loading, ...changes])
  await until(timeline, has('edited'))
  const item = timeline.getSnapshot().items[55]
  t.match(item, { deleted: true, text: '', state: 'stored', key: recent })
  const stream = app.chat.createWriteStream('lobby')
  stream.write('one ')
  await until(timeline, has('one '))
  stream.end('two')
  await until(timeline, has('one two'))
  while ((timeline.getSnapshot().items.at(-1) as { streaming?: true }).streaming) await tick()
})

t.test('after a break the messages before it are kept apart, and pending posts stay', async (t) => {
  const { app, port, network, client, room, timeline } = await two(t, { posts: 3 })
  await t.rejects(room.post('refuse'))
  network.target = undefined
  network.cut()
  await state(client, 'waiting')
  const post = room.post('pending')
  await app.chat.clear('lobby')
  await app.chat.publish('lobby', { text: 'new' })
  network.target = port
  await until(timeline, has('new'))
  await post
  const { earlier, items } = timeline.getSnapshot()
  t.strictSame(earlier?.map(({ text }) => text), ['1', '2', '3'])
  t.strictSame(items.map(({ text, state }) => [text, state]), [['new', 'stored'], ['pending', 'stored'], ['refuse', 'failed']])
  t.equal(items[1]!.key, post.id)
  timeline.dropEarlier()
  t.equal(timeline.getSnapshot().earlier, undefined)
  t.equal(timeline.getSnapshot().items, items)
})

t.test('messages that the server no longer keeps after a change leave the timeline', async (t) => {
  const { app, port, network, client, timeline } = await two(t, { posts: 3, historyEntries: 3 })
  const { entries } = await app.chat.history('lobby')
  network.target = undefined
  network.cut()
  await state(client, 'waiting')
  await app.chat.edit('lobby', entries[0]!.position, { text: 'edited' })
  await app.chat.publish('lobby', { text: '4' })
  network.target = port
  await until(timeline, has('4'))
  t.strictSame(ends(timeline), { first: '2', last: '4', hasOlder: false, hasNewer: false })
})

t.test('a window that the server no longer keeps is replaced by the newest messages, in order', async (t) => {
  const { app, port, network, client, timeline } = await two(t, { posts: 60, size: 50, historyEntries: 60 })
  const [first] = (await app.chat.history('lobby', { limit: 60 })).entries
  await timeline.jumpTo(first!.position)
  t.equal(timeline.getSnapshot().hasNewer, true)
  network.target = undefined
  network.cut()
  await state(client, 'waiting')
  await app.chat.edit('lobby', first!.position, { text: 'edited' })
  for (let n = 61; n <= 100; n++) await app.chat.publish('lobby', { text: String(n) })
  network.target = port
  await until(timeline, has('100'))
  t.strictSame(texts(timeline), Array.from({ length: 41 }, (_, i) => String(60 + i)))
})

t.test('a timeline that is created late shows the newest messages', async (t) => {
  const { room, bob, timeline } = await two(t, { posts: 60 })
  const late = room.timeline()
  const pending = room.post('mine')
  const later = room.timeline()
  t.match(later.getSnapshot().items.at(-1), { key: pending.id, state: 'pending', text: 'mine' })
  await Promise.all([late.loadOlder(), later.loadOlder(), pending, timeline.loadOlder()])
  await bob.post('last')
  for (const each of [late, later, timeline]) await until(each, has('last'))
  const all = [...Array.from({ length: 60 }, (_, i) => String(i + 1)), 'mine', 'last']
  t.strictSame([texts(timeline), texts(late).slice(-51), texts(later).slice(-51)], [all, all.slice(-51), all.slice(-51)])
})

t.test('a timeline that is created in the first listener has the messages before and after', async (t) => {
  const { app, port } = await two(t, { posts: 3 })
  const room = await chatClient(t, port).join('lobby', { history: 2 })
  // Received before the first listener, and delivered to it after `joined`.
  await app.chat.publish('lobby', { text: '4' })
  while (room.position !== (await app.chat.history('lobby')).entries.at(-1)!.position) await tick()
  const timeline = await new Promise<Timeline>((resolve) => { room.once('joined', () => resolve(room.timeline())) })
  await app.chat.publish('lobby', { text: '5' })
  await until(timeline, (items) => has('1')(items) && has('5')(items))
  t.strictSame(texts(timeline), ['1', '2', '3', '4', '5'])
})

t.test('a timeline that is created in the first listener of an empty room has its first message', async (t) => {
  const { port, bob } = await two(t)
  const room = await chatClient(t, port).join('lobby')
  const position = await bob.post('1')
  while (room.position !== position) await tick()
  const timeline = await new Promise<Timeline>((resolve) => { room.once('joined', () => resolve(room.timeline())) })
  await timeline.loadOlder()
  t.strictSame(texts(timeline), ['1'])
})

t.test('a closed timeline and that of a left room change no more', async (t) => {
  const { app, port, room, bob, timeline } = await two(t, { posts: 1 })
  let calls = 0
  timeline.subscribe(() => { calls++ })
  timeline.close()
  await bob.post('two')
  await room.post('three')
  t.strictSame(texts(timeline), ['1'])
  t.equal(calls, 0)
  const other = await chatClient(t, port).join('lobby')
  const left = other.timeline()
  const post = other.post('four')
  other.leave()
  await post
  t.equal(left.getSnapshot().items.some(({ state }) => state === 'failed'), false)
  const client = chatClient(t, port)
  const { member } = await state(client, 'online')
  const ending = await client.join('lobby')
  const ended = ending.timeline()
  await until(ended, ({ length }) => length > 0)
  const end = nextEvent(ending, 'left')
  await app.chat.removeMember('lobby', member.id, { reason: 'spam' })
  await end
  await t.rejects(ending.post('five'), { code: 'removed' })
  t.match(ended.getSnapshot().items.at(-1), { text: 'five', state: 'failed', error: { code: 'removed' } })
})

t.test('a snapshot is the same object until something changes, and shares what has not', async (t) => {
  const { room, timeline } = await two(t, { posts: 2 })
  const before = timeline.getSnapshot()
  t.equal(timeline.getSnapshot(), before)
  timeline.follow(true)
  room.receive({ type: 'typing', room: 'lobby', from: { id: 'x', name: 'x' }, on: false })
  t.equal(timeline.getSnapshot(), before, 'nothing has changed')
  await room.post('three')
  const after = timeline.getSnapshot()
  t.not(after, before)
  t.equal(after.items[0], before.items[0])
  t.equal(after.typing, before.typing)
  t.equal(before.items.length, 2, 'a snapshot stays as it was')
})

t.test('listeners are called once a tick, not within a call, and not after unsubscribing', async (t) => {
  const { room, timeline } = await two(t)
  let calls = 0
  const stop = timeline.subscribe(() => { calls++ })
  const notified = new Promise<void>((resolve) => timeline.subscribe(resolve))
  const posts = [room.post('one'), room.post('two')]
  t.equal(calls, 0)
  await notified
  t.equal(calls, 1)
  await Promise.all(posts)
  stop()
  const before = calls
  await room.post('three')
  await new Promise<void>((resolve) => timeline.subscribe(resolve))
  t.equal(calls, before)
})

t.test('other members that type are listed until their message or their end', async (t) => {
  const { client, room, timeline } = await two(t)
  const { member } = await state(client, 'online')
  const from = { id: 'x', name: 'x' }
  const typing = (by: typeof from, on?: boolean) => room.receive({ type: 'typing', room: 'lobby', from: by, ...on !== undefined && { on } })
  const list = () => timeline.getSnapshot().typing
  typing(from)
  typing(member)
  t.strictSame(list(), [from])
  const before = list()
  typing(from)
  t.equal(list(), before)
  typing(from, false)
  t.strictSame(list(), [])
  typing(from)
  room.receive({ type: 'message', room: 'lobby', position: 'p', at: '', from, text: 'said' })
  t.strictSame(list(), [])
})

t.test('a member that reports no end of typing is listed for 6 s', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  let timeouts = 0
  const members = typingMembers(() => { timeouts++ })
  const from = { id: 'x', name: 'x' }
  members.start(from)
  mock.timers.tick(5_000)
  members.start(from)
  mock.timers.tick(5_999)
  t.strictSame([members.list(), timeouts], [[from], 0])
  mock.timers.tick(1)
  t.strictSame([members.list(), timeouts], [[], 1])
  members.start(from)
  members.stop()
  mock.timers.tick(10_000)
  t.strictSame([members.list(), timeouts], [[], 1])
})

t.test('the unread line stays where it was at the join until all is read', async (t) => {
  const { app, port } = await chat(t, { authenticate: (_request, { name = '' }) => ({ id: name, name }) })
  const earlier = chatClient(t, port, { name: 'ada' })
  const before = await earlier.join('lobby')
  await before.post('1')
  earlier.close()
  await app.chat.publish('lobby', { text: '2' })
  await app.chat.publish('lobby', { text: '3' })
  const room = await chatClient(t, port, { name: 'ada' }).join('lobby')
  const timeline = room.timeline()
  await until(timeline, has('3'))
  const line = () => timeline.getSnapshot().items.find(({ key }) => key === timeline.getSnapshot().firstUnread)?.text
  t.equal(line(), '2')
  const position = await app.chat.publish('lobby', { text: '4' })
  await until(timeline, has('4'))
  t.equal(timeline.getSnapshot().unread, 3)
  t.equal(line(), '2')
  room.markRead((timeline.getSnapshot().items[1] as StoredItem).position)
  t.equal(timeline.getSnapshot().unread, 2)
  t.equal(line(), '2')
  room.markRead(position as unknown as string)
  t.match(timeline.getSnapshot(), { unread: 0, firstUnread: undefined })
})

t.test('a wrong size is rejected', async (t) => {
  const { room } = await two(t)
  for (const size of [49, 50.5, NaN, '500' as unknown as number]) t.throws(() => room.timeline({ size }), { code: 'invalid', message: /size/ })
})
