import t from 'tap'
import { errors } from '../../src/index.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import { backendWith } from '../support/backend.ts'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { tick } from '../support/tick.ts'
import type { V1Client } from '../support/v1-client.ts'

/** Connects a member that understands changes and joins a room. */
async function viewer ({ tcp }: ChatApp, room = 'a'): Promise<V1Client> {
  const client = await tcp()
  await client.hello({ changes: true })
  await client.join(room)
  return client
}

t.test('the app edits, reacts and deletes, whoever the author is, and skips the hooks of members', async (t) => {
  const server = await chat(t, { authorize: ({ action }) => action === 'join' || action === 'post', preChange: () => { throw new Error('for members') } })
  const { chat: app } = server.app
  const ada = await viewer(server)
  const position = await ada.posted('a', 'one', { data: 1 })
  await app.edit('a', position, { text: 'two \ud83d', data: { n: 2 } })
  t.match(await ada.next(), { type: 'changed', position, text: 'two \ufffd', data: { n: 2 } })
  await app.react('a', position, '👍', { by: 'bot' })
  t.match(await ada.next(), { reactions: [{ reaction: '👍', count: 1 }] })
  await app.react('a', position, '👍', { by: 'bot', on: false })
  t.match(await ada.next(), { reactions: [{ reaction: '👍', count: 0 }] })
  await app.edit('a', position, { text: 'three' })
  t.notOk('data' in await ada.next())
  await app.delete('a', position)
  t.match(await ada.next(), { deleted: true })
  await app.delete('a', position)
  t.strictSame((await app.history('a')).entries.map(({ text, deleted, data }) => [text, deleted, data]), [['', true, undefined]])
  t.match(app.stats(), { posts: 1, changes: 5 })
})

t.test('a change that cannot be made rejects and changes nothing', async (t) => {
  const { app: { chat: app } } = await chat(t)
  const position = await app.publish('a', { text: 'one' })
  for (const change of [
    async (room: string, at: string) => { await app.edit(room, at, { text: 'x' }) },
    async (room: string, at: string) => { await app.delete(room, at) },
    async (room: string, at: string) => { await app.react(room, at, '👍', { by: 'bot' }) }
  ]) {
    await t.rejects(change('a', 'unknown'), errors.NotKept)
    await t.rejects(change('b', position), errors.NotKept)
    await t.rejects(change('no room!', position), errors.InvalidRoom)
    await t.rejects(change('a', ''), { code: 'FST_CHAT_INVALID_ARGUMENT', message: /'position'/ })
  }
  const wrong: Array<[call: () => Promise<unknown>, argument: RegExp]> = [
    [() => app.edit('a', position, {} as never), /'edit.text' must be a string/],
    [() => app.edit('a', position, 'x' as never), /'edit' must be an object with text, data/],
    [() => app.edit('a', position, { text: 'x', html: 'y' } as never), /'edit.html'/],
    [() => app.edit('a', position, { text: 'x', data: 1n }), /'edit.data' must be serializable/],
    [() => app.react('a', position, '', { by: 'bot' }), /'reaction' must be a string of 1 to 64 code points/],
    [() => app.react('a', position, 'a\u0000', { by: 'bot' }), /'reaction'/],
    [() => app.react('a', position, '\ud83d', { by: 'bot' }), /'reaction'/],
    [() => app.react('a', position, '👍'.repeat(65), { by: 'bot' }), /'reaction'/],
    [() => app.react('a', position, 7 as never, { by: 'bot' }), /'reaction'/],
    [() => app.react('a', position, '👍', {} as never), /'options.by' must be a non-empty string/],
    [() => app.react('a', position, '👍', { by: 'bot', on: 1 } as never), /'options.on' must be true or false/],
    [() => app.deleteMessages({} as never), /'of.member'/],
    [() => app.deleteMessages({ member: 'ada', rooms: ['a'] } as never), /'of.rooms'/]
  ]
  for (const [call, argument] of wrong) await t.rejects(call(), { code: 'FST_CHAT_INVALID_ARGUMENT', message: argument }, `${argument}`)
  await t.rejects(app.deleteMessages({ member: 'ada', room: '' }), errors.InvalidRoom)
  await t.rejects(app.edit('a', position, { text: 'x'.repeat(300_000) }), errors.PostTooLarge)
  await app.delete('a', position)
  await t.rejects(app.edit('a', position, { text: 'x' }), errors.EntryDeleted)
  await t.rejects(app.react('a', position, '👍', { by: 'bot' }), errors.EntryDeleted)
  t.equal(app.stats().changes, 1)
})

t.test('deleteMessages deletes what a member said, in one room or in all', async (t) => {
  const server = await chat(t, { backend: memory({ historyEntries: 2_000 }) })
  const { chat: app } = server.app
  const [ada, bob] = [{ id: 'ada', name: '' }, { id: 'bob', name: '' }]
  for (const room of ['a', 'b', 'c']) {
    for (let i = 0; i < 250; i++) await app.publish(room, { text: `${i}`, from: i % 2 === 0 ? ada : bob })
    await app.publish(room, { text: 'of the app' })
  }
  const view = await viewer(server)
  t.equal(await app.deleteMessages({ member: 'ada', room: 'a' }), 125)
  for (let i = 0; i < 125; i++) t.match(await view.next(), { type: 'changed', deleted: true })
  const kept = async (room: string) => (await app.history(room, { limit: 1_000 })).entries.filter(({ deleted }) => deleted !== true)
  t.strictSame([(await kept('a')).length, (await kept('b')).length], [126, 251])
  t.equal(await app.deleteMessages({ member: 'ada', room: 'a' }), 0, 'again')
  t.equal(await app.deleteMessages({ member: 'ada' }), 250)
  t.equal(await app.deleteMessages({ member: 'nobody' }), 0)
  t.equal(await app.deleteMessages({ member: 'ada', room: 'empty' }), 0)
  for (const room of ['b', 'c']) {
    const entries = await kept(room)
    t.strictSame([entries.length, new Set(entries.map(({ from }) => from?.id))], [126, new Set(['bob', undefined])])
  }
  t.equal((await app.history('a', { limit: 1_000 })).entries.length, 251, 'positions and offsets stay')
})

t.test('deleteMessages deletes the messages of a page together', async (t) => {
  let [pending, most] = [0, 0]
  const server = await chat(t, {
    backend: backendWith((works) => ({
      async amend (...args) {
        most = Math.max(most, ++pending)
        await tick()
        pending--
        return await works.amend(...args)
      }
    }))
  })
  const { chat: app } = server.app
  for (let i = 0; i < 250; i++) await app.publish('a', { text: `${i}`, from: { id: 'ada', name: '' } })
  t.equal(await app.deleteMessages({ member: 'ada' }), 250)
  t.equal(most, 100, 'at most a page')
})

t.test('deleteMessages continues if messages are trimmed, and rejects if the store fails', async (t) => {
  let onAmend = async (): Promise<void> => {}
  const server = await chat(t, { backend: backendWith((works) => ({ async amend (...args) { await onAmend(); return await works.amend(...args) } })) })
  const { chat: app } = server.app
  for (let i = 0; i < 990; i++) await app.publish('a', { text: `${i}`, from: { id: 'ada', name: '' } })
  let isFull = false
  onAmend = async () => {
    if (isFull) return
    isFull = true
    for (let i = 0; i < 500; i++) await app.publish('a', { text: 'of the app' })
  }
  t.equal(await app.deleteMessages({ member: 'ada' }), 500)
  t.strictSame((await app.history('a', { limit: 1_000 })).entries.filter(({ from, deleted }) => from?.id === 'ada' && deleted !== true), [])
  await app.publish('a', { text: 'x', from: { id: 'ada', name: '' } })
  onAmend = async () => { throw new errors.StoreUnavailable() }
  await t.rejects(app.deleteMessages({ member: 'ada' }), errors.StoreUnavailable)
})
