import t, { type Test } from 'tap'
import type { Message } from '../../src/client/node.ts'
import { memory, type FastifyChatOptions } from '../../src/index.ts'
import { changesLoad, StoredEdits } from '../support/changes-load.ts'
import { chat } from '../support/chat-app.ts'
import { chatClient, nextEvent, state } from '../support/chat-client.ts'
import { proxy } from '../support/proxy.ts'
import { ClientView } from '../support/client-view.ts'

/** Resolves with two members of a room, a message of the first, and the proxy between it and the server. */
async function two (t: Test, options: FastifyChatOptions = {}) {
  const { app, port } = await chat(t, options)
  const network = await proxy(t, port)
  const client = chatClient(t, network.port, { name: 'ada' })
  const ada = await client.join('lobby')
  const bob = await chatClient(t, port, { name: 'bob' }).join('lobby')
  const views = { ada: new ClientView(ada), bob: new ClientView(bob) }
  const received = nextEvent(bob, 'message')
  const position = await ada.post('one', { n: 1 })
  await received
  return { app, port, network, client, ada, bob, views, position }
}

/** Returns what a client shows of a message. */
function shown ({ messages }: ClientView, position: string): Pick<Message, 'text' | 'data' | 'deleted' | 'reactions'> {
  const { text, data, deleted, reactions } = messages.get(position)!
  return { ...text !== undefined && { text }, ...data !== undefined && { data }, ...deleted && { deleted }, ...reactions !== undefined && { reactions } }
}

t.test('edits, reactions and deletions reach both members', async (t) => {
  const { ada, bob, views, position } = await two(t)
  let changed = nextEvent(bob, 'changed')
  await ada.edit(position, 'two', [2])
  await changed
  for (const view of Object.values(views)) t.strictSame(shown(view, position), { text: 'two', data: [2] })
  changed = nextEvent(ada, 'changed')
  await bob.react(position, '👍')
  await changed
  t.strictSame(shown(views.bob, position).reactions, [{ reaction: '👍', count: 1, mine: true }])
  t.strictSame(shown(views.ada, position).reactions, [{ reaction: '👍', count: 1 }])
  changed = nextEvent(ada, 'changed')
  await bob.unreact(position, '👍')
  await changed
  for (const view of Object.values(views)) t.strictSame(shown(view, position), { text: 'two', data: [2] })
  changed = nextEvent(bob, 'changed')
  await ada.delete(position)
  await changed
  for (const view of Object.values(views)) t.strictSame(shown(view, position), { text: '', deleted: true })
  await t.rejects(ada.edit(position, 'back'), { code: 'deleted' })
  await ada.delete(position)
  t.equal(ada.revision, bob.revision)
})

t.test("a member can't change the message of another, or one that isn't kept", async (t) => {
  const { bob, position } = await two(t)
  await t.rejects(bob.edit(position, 'x'), { code: 'forbidden' })
  await t.rejects(bob.delete(position), { code: 'forbidden' })
  await t.rejects(bob.react('of-no-room-1', '👍'), { code: 'not_kept' })
})

t.test('a later client with the same session knows its own reactions', async (t) => {
  const { port, client, ada, position } = await two(t)
  await ada.react(position, '👍')
  const { session } = await state(client, 'online')
  const { messages } = await nextEvent(await chatClient(t, port, { session }).join('lobby'), 'joined')
  t.strictSame(messages[0]!.reactions, [{ reaction: '👍', count: 1, mine: true }])
})

t.test('changes that were missed are part of joined after a reconnect', async (t) => {
  const { port, network, client, ada, bob, views, position } = await two(t)
  const second = await ada.post('second')
  network.target = undefined
  network.cut()
  await state(client, 'waiting')
  await bob.react(position, '👍')
  await bob.react(second, '🎉')
  const joined = nextEvent(ada, 'joined', ({ again }) => again)
  network.target = port
  t.match(await joined, { complete: true, messages: [], changes: [{ position, whole: true }, { position: second, whole: true }] })
  t.strictSame(shown(views.ada, position).reactions, [{ reaction: '👍', count: 1 }])
  t.strictSame(shown(views.ada, second).reactions, [{ reaction: '🎉', count: 1 }])
})

t.test('messages that were removed after a change are discarded when the client resumes', async (t) => {
  const { port, network, client, ada, bob, views, position } = await two(t, { backend: memory({ historyEntries: 3 }) })
  await ada.post('second')
  const third = nextEvent(bob, 'message', ({ text }) => text === 'third')
  await ada.post('third')
  await third
  network.target = undefined
  network.cut()
  await state(client, 'waiting')
  await bob.react(position, '👍')
  await bob.post('fourth')
  const joined = nextEvent(ada, 'joined', ({ again }) => again)
  network.target = port
  const [, oldest] = views.ada.messages.keys()
  t.match(await joined, { complete: true, oldest, changes: [], messages: [{ text: 'fourth' }] })
  t.strictSame([...views.ada.messages.values()].map(({ text }) => text), ['second', 'third', 'fourth'])
  await t.rejects(ada.react(position, '👍'), { code: 'not_kept' })
})

t.test('an edit whose ack was lost is made once, and undoes no later edit', async (t) => {
  const texts: string[] = []
  let made = () => {}
  const { port, network, client, ada, bob, views, position } = await two(t, {
    onChange (change) {
      if (change.type === 'edit') texts.push(change.text)
      made()
    }
  })
  const { session } = await state(client, 'online')
  const device = await chatClient(t, port, { session }).join('lobby')
  const stored = new Promise<void>((resolve) => { made = resolve })
  network.silence()
  const edit = ada.edit(position, 'two')
  await stored
  await device.edit(position, 'three')
  network.cut()
  await edit
  t.strictSame(texts, ['two', 'three'])
  t.equal(shown(views.ada, position).text, 'three')
  t.equal(shown(views.bob, position).text, 'three')
  t.equal(bob.revision, ada.revision)
})

t.test('members whose connections are cut have what the store has', async (t) => {
  const edits = new StoredEdits()
  const { port } = await chat(t, { onChange: edits.onChange })
  const { lost, doubled, wrong, cuts } = await changesLoad(t, { ports: [port], edits, members: 4, requests: 100, random: Math.random })
  t.strictSame({ lost, doubled, wrong }, { lost: 0, doubled: 0, wrong: 0 })
  t.ok(cuts > 0)
})
