import t from 'tap'
import { errors, type ReportedChange, type ChatEntry } from '../../src/index.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import { logged } from '../support/app.ts'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { backendWith } from '../support/backend.ts'
import { gate } from '../support/gate.ts'
import { tick } from '../support/tick.ts'
import type { V1Client } from '../support/v1-client.ts'

const authenticate = (_: unknown, { token = 'plain' }: { readonly token?: string | undefined } = {}) => ({ id: token, name: '' })

/** Connects a member that joins the room `a`. */
async function named ({ member }: ChatApp, token: string): Promise<V1Client> { return await member({ token }, 'a') }

/** Sends a change and waits for its ack. */
async function changed (client: V1Client, request: object): Promise<void> {
  client.say({ room: 'a', id: 'i', ...request })
  await client.expect('ack')
}

type Call = readonly [change: ReportedChange, entry: ChatEntry, room: string]

/** Records the calls of `onChange`. */
class Calls {
  readonly all: Call[] = []
  readonly add = (...call: Call): void => { this.all.push(call) }

  async until (count: number): Promise<Call[]> {
    while (this.all.length < count) await tick()
    return this.all.splice(0)
  }
}

t.test('onChange receives the stored change and the entry, of members and of the app', async (t) => {
  const calls = new Calls()
  const server = await chat(t, {
    authenticate, onChange: calls.add, preChange: (change) => change.type === 'edit' ? { ...change, text: change.text.toUpperCase() } : change
  })
  const ada = await named(server, 'ada')
  const position = await ada.posted('a', 'one')
  await changed(ada, { type: 'edit', position, text: 'two', data: [1] })
  const entry = { position, offset: 1, from: { id: 'ada', name: '' }, text: 'TWO', data: [1], editedAt: Number }
  t.match(await calls.until(1), [[{ type: 'edit', text: 'TWO', data: [1] }, { ...entry, revision: /-c1$/ }, 'a']])
  await changed(ada, { type: 'react', position, reaction: '👍', on: true })
  t.match(await calls.until(1), [[{ type: 'react', reaction: '👍', on: true }, { ...entry, reactions: [{ reaction: '👍', count: 1 }] }, 'a']])
  await server.app.chat.edit('a', position, { text: 'three' })
  t.match(await calls.until(1), [[{ type: 'edit', text: 'three' }, { text: 'three', data: undefined }, 'a']])
  await server.app.chat.react('a', position, '🎉', { by: 'bot' })
  await server.app.chat.delete('a', position)
  const [reaction, deletion] = await calls.until(2)
  t.match([reaction![0], deletion![0]], [{ type: 'react', reaction: '🎉', on: true }, { type: 'delete' }])
  t.match(deletion![1], { text: '', deleted: true, reactions: undefined })
})

t.test('a change without an effect and one that is refused get no call', async (t) => {
  const calls = new Calls()
  const server = await chat(t, { authenticate, onChange: calls.add })
  const ada = await named(server, 'ada')
  const position = await ada.posted('a', 'one')
  await changed(ada, { type: 'edit', position, text: 'one' })
  await changed(ada, { type: 'delete', position })
  await changed(ada, { type: 'delete', position })
  await t.rejects(server.app.chat.edit('a', position, { text: 'x' }), errors.EntryDeleted)
  await server.app.chat.delete('a', position)
  const last = await server.app.chat.publish('a', { text: 'last' })
  await server.app.chat.delete('a', last)
  t.match(await calls.until(2), [[{ type: 'delete' }, { position }], [{ type: 'delete' }, { position: last }]])
})

t.test('onPost and onChange of a room are called in one order, one at a time', async (t) => {
  const order: string[] = []
  const slow = gate()
  const { app } = await chat(t, {
    async onPost ({ text }) {
      order.push(`post ${text}`)
      if (text === '1') await slow.pass()
      order.push(`posted ${text}`)
    },
    async onChange (change) {
      order.push(change.type)
      await tick()
      order.push(`${change.type} ended`)
    }
  })
  const position = await app.chat.publish('a', { text: '1' })
  await slow.reached
  await app.chat.edit('a', position, { text: 'x' })
  await app.chat.publish('a', { text: '2' })
  await app.chat.delete('a', position)
  await app.chat.publish('b', { text: 'another room' })
  await tick()
  t.strictSame(order, ['post 1', 'post another room', 'posted another room'])
  slow.open()
  while (order.length < 10) await tick()
  t.strictSame(order.slice(3), ['posted 1', 'edit', 'edit ended', 'post 2', 'posted 2', 'delete', 'delete ended'])
})

t.test('an entry that is removed before its call gets none, and an error of the hook is logged', async (t) => {
  const slow = gate()
  const called: string[] = []
  const { app } = await chat(t, {
    backend: memory({ historyEntries: 2 }),
    async onChange (_change, { text }) {
      called.push(text!)
      if (text === 'first') await slow.pass()
      if (text === 'fails') throw new Error('of the app')
    }
  })
  const [one, two] = [await app.chat.publish('a', { text: '1' }), await app.chat.publish('a', { text: '2' })]
  await app.chat.edit('a', two, { text: 'first' })
  await slow.reached
  await app.chat.edit('a', one, { text: 'removed' })
  const three = await app.chat.publish('a', { text: '3' })
  await app.chat.edit('a', three, { text: 'fails' })
  slow.open()
  t.match(await logged(app, 'the hook onChange failed'), { level: 50, room: 'a', err: { code: 'FST_CHAT_HOOK_FAILED' } })
  t.strictSame(called, ['first', 'fails'])
})

t.test('close waits for the calls of onChange', async (t) => {
  const slow = gate()
  const ended: string[] = []
  const { app } = await chat(t, { async onChange ({ type }) { await slow.pass(); ended.push(type) } })
  await app.chat.delete('a', await app.chat.publish('a', { text: '1' }))
  await slow.reached
  const closed = app.close()
  slow.open()
  await closed
  t.strictSame(ended, ['delete'])
})

t.test('the store is read for onChange only, and its failure is logged', async (t) => {
  let reads = 0
  const backend = (isDown: boolean) => backendWith((works) => ({
    async get (...args) {
      reads++
      if (isDown) throw new errors.StoreUnavailable()
      return await works.get(...args)
    }
  }))
  const silent = await chat(t, { backend: backend(false) })
  await silent.app.chat.delete('a', await silent.app.chat.publish('a', { text: '1' }))
  t.equal(reads, 0)
  const { app } = await chat(t, { backend: backend(true), onChange: () => { t.fail('called') } })
  await app.chat.delete('a', await app.chat.publish('a', { text: '1' }))
  t.match(await logged(app, 'the hook onChange was not called: the store failed'), { level: 50, room: 'a', err: { code: 'FST_CHAT_UNAVAILABLE' } })
  t.equal(reads, 1)
})
