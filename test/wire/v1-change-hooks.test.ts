import t from 'tap'
import type { AuthorizeQuestion, ChatChange, FastifyChatOptions } from '../../src/index.ts'
import { logged } from '../support/app.ts'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { backendWith } from '../support/backend.ts'
import { gate } from '../support/gate.ts'
import type { V1Client } from '../support/v1-client.ts'

const authenticate = (_: unknown, { token = 'plain' }: { readonly token?: string | undefined } = {}) => ({ id: token, name: '' })

/** Connects a member that understands changes and joins the room `a`. */
async function named ({ tcp }: ChatApp, token: string): Promise<V1Client> {
  const client = await tcp()
  await client.hello({ token, changes: true })
  await client.join('a')
  return client
}

const edit = (position: string, text = 'edited', more: object = {}) => ({ type: 'edit', room: 'a', position, id: text, text, ...more })
const remove = (position: string) => ({ type: 'delete', room: 'a', position, id: 'd' })
const react = (position: string) => ({ type: 'react', room: 'a', position, id: 'r', reaction: '👍', on: true })

t.test('authorize decides alone, and is asked with the entry as it is', async (t) => {
  const questions: AuthorizeQuestion[] = []
  const server = await chat(t, {
    authenticate,
    authorize (question) {
      const { action, entry, member } = question
      if (action === 'edit' || action === 'delete' || action === 'react') questions.push(question)
      return action === 'edit' ? entry.from?.id === member.id : action !== 'react' || entry.text !== 'edited'
    }
  })
  const [ada, bob] = [await named(server, 'ada'), await named(server, 'bob')]
  const position = await ada.posted('a', 'one', { data: { n: 1 } })
  await bob.next()
  t.match(await bob.refused(edit(position)), { code: 'forbidden', message: "not allowed to edit in room 'a'", request: 'edit' })
  ada.say(edit(position))
  t.match(await ada.take(2), [{ type: 'changed' }, { type: 'ack' }])
  t.match(await bob.next(), { type: 'changed' })
  t.match(await bob.refused(react(position)), { code: 'forbidden', message: "not allowed to react in room 'a'" })
  bob.say(remove(position))
  t.match(await bob.take(2), [{ type: 'changed', deleted: true }, { type: 'ack' }], 'of somebody else')
  const entry = { position, offset: 1, from: { id: 'ada', name: '' }, text: 'one', data: { n: 1 } }
  t.match(questions, [
    { action: 'edit', room: 'a', member: { id: 'bob' }, entry },
    { action: 'edit', member: { id: 'ada' }, entry },
    { action: 'react', member: { id: 'bob' }, entry: { ...entry, text: 'edited', data: undefined, revision: /-c1$/, editedAt: Number } },
    { action: 'delete', member: { id: 'bob' }, entry: { text: 'edited' } }
  ])
})

t.test('authorize and preChange receive which reactions are those of the member', async (t) => {
  const seen: unknown[] = []
  const server = await chat(t, {
    authenticate,
    authorize (question) {
      if (question.action === 'react') seen.push(question.entry.reactions)
      return true
    },
    preChange (change, entry) {
      seen.push(entry.reactions)
      return change
    }
  })
  const [ada, bob] = [await named(server, 'ada'), await named(server, 'bob')]
  const position = await ada.posted('a', 'one')
  await server.app.chat.react('a', position, '👍', { by: 'ada' })
  for (const client of [ada, bob]) while ((await client.next()).type !== 'changed');
  for (const [client, mine] of [[ada, { mine: true }], [bob, {}]] as const) {
    client.say({ ...react(position), reaction: '👍', on: true })
    while ((await client.next()).type !== 'ack');
    t.strictSame(seen.splice(0), Array(2).fill([{ reaction: '👍', count: 1, ...mine }]))
  }
})

t.test('authorize is not asked about a message that is not kept', async (t) => {
  const actions: string[] = []
  const server = await chat(t, {
    authenticate,
    authorize ({ action }) {
      actions.push(action)
      if (action === 'delete') throw new Error('down')
      return true
    }
  })
  const ada = await named(server, 'ada')
  for (const request of [edit('x'), remove('x'), react('x')]) t.match(await ada.refused(request), { code: 'not_kept' })
  t.strictSame(actions, ['join', 'join'])
  ada.say(remove(await ada.posted('a', '1')))
  t.match(await ada.closed, { code: 1011 })
})

t.test('preChange may change the content of an edit, and refuse each change with a reason', async (t) => {
  const calls: unknown[] = []
  const server = await chat(t, {
    authenticate,
    async preChange (change, { text }, member) {
      calls.push([change, text, member.id])
      if (change.type === 'edit' && change.text === 'shout') return { type: 'edit', text: change.text.toUpperCase(), data: { shouted: true } }
      if (change.type === 'edit' && change.text === 'plain') return { type: 'edit', text: change.text }
      if (change.type === 'delete') throw new Error('messages are kept')
      return change
    }
  })
  const ada = await named(server, 'ada')
  const position = await ada.posted('a', 'one')
  const changed = async (request: object) => {
    ada.say(request)
    return (await ada.take(2))[0]
  }
  t.match(await changed(edit(position, 'shout')), { type: 'changed', text: 'SHOUT', data: { shouted: true } })
  t.notOk('data' in (await changed(edit(position, 'plain', { data: { n: 1 } })))!)
  t.match(await changed(react(position)), { reactions: [{ reaction: '👍', count: 1 }] })
  t.match(await ada.refused(remove(position)), { code: 'refused', message: 'messages are kept', id: 'd', request: 'delete' })
  t.strictSame(calls, [
    [{ type: 'edit', text: 'shout' }, 'one', 'ada'],
    [{ type: 'edit', text: 'plain', data: { n: 1 } }, 'SHOUT', 'ada'],
    [{ type: 'react', reaction: '👍', on: true }, 'plain', 'ada'],
    [{ type: 'delete' }, 'plain', 'ada']
  ])
})

t.test('a result of preChange that is not the change refuses it, and names the fault in the log', async (t) => {
  const wrong: Array<[request: (position: string) => object, result: unknown, problem: RegExp]> = [
    [edit, undefined, /must return an object with type, text, data/],
    [edit, { type: 'delete' }, /'type', which must be 'edit', as in the change/],
    [edit, { text: 'x' }, /'type'/],
    [edit, { type: 'edit' }, /'text', which must be a string/],
    [edit, { type: 'edit', text: 'x', data: 1n }, /'data', which must be serializable as JSON/],
    [edit, { type: 'edit', text: 'x', html: '' }, /'html'/],
    [remove, { type: 'edit', text: 'x' }, /'text'/],
    [remove, null, /must return an object with type/],
    [react, { type: 'react', reaction: '🎉', on: true }, /'reaction', which must be "👍", as in the change/],
    [react, { type: 'react', reaction: '👍', on: false }, /'on', which must be true, as in the change/]
  ]
  for (const [request, result, problem] of wrong) {
    const server = await chat(t, { authenticate, preChange: () => result as ChatChange })
    const ada = await named(server, 'ada')
    const position = await ada.posted('a', 'one')
    t.match(await ada.refused(request(position)), { code: 'refused', message: 'the server failed to process this request' })
    const { err } = await logged(server.app, 'the handler of a connection failed') as { err?: { stack: string } }
    t.match(err?.stack, problem)
    t.equal(server.app.chat.stats().changes, 0)
    await server.app.close()
  }
  const server = await chat(t, { authenticate, preChange: () => ({ type: 'edit', text: 'x'.repeat(300_000) }) })
  const ada = await named(server, 'ada')
  t.match(await ada.refused(edit(await ada.posted('a', 'one'))), { code: 'refused', message: /the message has \d+ bytes; the limit is/ })
})

t.test("preChange doesn't receive changes of messages of others, or of deleted messages", async (t) => {
  const server = await chat(t, { authenticate, preChange: () => { throw new Error('called') } })
  const others = await server.app.chat.publish('a', { text: '1' })
  const ada = await named(server, 'ada')
  for (const request of [edit(others), remove(others)]) t.match(await ada.refused(request), { code: 'forbidden' })
  const own = await ada.posted('a', '2')
  await server.app.chat.delete('a', own)
  await ada.expect('changed')
  for (const request of [edit(own), react(own)]) t.match(await ada.refused(request), { code: 'deleted' })
  t.match(await ada.refused(react(others)), { code: 'refused', message: 'called' })
})

t.test('a member that is muted while a hook decides changes nothing', async (t) => {
  const asked = gate()
  const server = await chat(t, {
    authenticate,
    async authorize ({ action }) {
      if (action === 'edit') await asked.pass()
      return true
    }
  })
  const ada = await named(server, 'ada')
  const position = await ada.posted('a', 'one')
  ada.say(edit(position))
  await asked.reached
  await server.app.chat.mute('ada', { duration: 60_000 })
  asked.open()
  t.match(await ada.next(), { type: 'error', code: 'muted', request: 'edit' })
  t.equal(server.app.chat.stats().changes, 0)
})

t.test('a repeated edit is acknowledged without the hooks, even for a muted member', async (t) => {
  let isAllowed = true
  const server = await chat(t, {
    authenticate,
    authorize: ({ action }) => action !== 'edit' || isAllowed,
    preChange (change) {
      if (!isAllowed) throw new Error('no')
      return change
    }
  })
  const ada = await named(server, 'ada')
  const position = await ada.posted('a', 'one')
  const since = (await server.app.chat.history('a')).head.change.revision
  ada.say(edit(position))
  const [, ack] = await ada.take(2)
  isAllowed = false
  await server.app.chat.mute('ada', { duration: 60_000 })
  ada.say(edit(position, 'edited', { since }))
  t.strictSame(await ada.next(), ack)
  t.match(await ada.refused(edit(position, 'another', { since })), { code: 'muted' })
})

t.test('requests of a connection reach the store in order, while hooks run', async (t) => {
  const order: string[] = []
  const options: FastifyChatOptions = {
    authenticate,
    async preChange (change) {
      await new Promise((resolve) => setImmediate(resolve))
      return change
    },
    backend: backendWith((works) => ({
      append (room, draft) { order.push(String(draft.body)); return works.append(room, draft) },
      amend (...args) { order.push(Object.keys(args[2].change)[0]!); return works.amend(...args) }
    }))
  }
  const server = await chat(t, options)
  const ada = await named(server, 'ada')
  const position = await ada.posted('a', '1')
  ada.say(edit(position))
  ada.post('a', '2')
  ada.say(react(position))
  ada.say(remove(position))
  ada.post('a', '3')
  const acks: string[] = []
  while (acks.length < 5) {
    const message = await ada.next()
    if (message.type === 'ack') acks.push(message.id)
  }
  t.strictSame(order, ['1', 'edit', '2', 'react', 'delete', '3'])
})

t.test('a change without a hook asks the store once', async (t) => {
  const calls: string[] = []
  const server = await chat(t, {
    authenticate,
    backend: backendWith((works) => ({
      get (...args) { calls.push('get'); return works.get(...args) },
      findChange (...args) { calls.push('findChange'); return works.findChange(...args) },
      amend (...args) { calls.push(`amend own: ${args[2].own}`); return works.amend(...args) }
    }))
  })
  const ada = await named(server, 'ada')
  const position = await ada.posted('a', '1')
  for (const request of [edit(position), react(position), remove(position)]) {
    ada.say(request)
    await ada.take(2)
  }
  t.strictSame(calls, ['amend own: ada', 'amend own: undefined', 'amend own: ada'])
})
