import t, { type Test } from 'tap'
import type { FastifyChatOptions } from '../../src/index.ts'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'
import { RedisRoster } from '../../src/drivers/redis/roster/roster.ts'
import { RedisStore } from '../../src/drivers/redis/store/store.ts'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { gate } from '../support/gate.ts'
import { redisServer, skip } from '../support/redis-server.ts'
import { backendOf, backendWith } from '../support/backend.ts'
import { tick } from '../support/tick.ts'
import type { V1Client } from '../support/v1-client.ts'

const POSTS = 1_000

const day = { duration: 24 * 3_600_000, reason: 'so it is' }

type Act = (app: ChatApp['app'], id: string) => Promise<void>

/** Restrictions that close the connection. */
const bars: Record<string, Act> = {
  kick: ({ chat }, id) => chat.kick(id, { reason: 'so it is' }),
  ban: ({ chat }, id) => chat.ban(id, day),
  'ban of an address': ({ chat }) => chat.ban({ address: '127.0.0.1' }, day)
}
const acts: Record<string, Act> = { ...bars, mute: ({ chat }, id) => chat.mute(id, day) }

/** `deafen` breaks the subscriptions, so that a node receives no restriction through them. */
interface Backend { readonly options: FastifyChatOptions, deafen (): Promise<unknown> }

const backends: Record<string, { skip: string | false, open: (t: Test) => Backend | Promise<Backend> }> = {
  memory: { skip: false, open: () => ({ options: {}, deafen: async () => {} }) },
  Redis: {
    skip,
    open: async (t) => {
      const { socket, client } = await redisServer(t)
      const [store, roster] = [new RedisStore({ url: socket }), new RedisRoster({ url: socket })]
      t.teardown(() => Promise.all([store.close(), roster.close()]))
      return { options: { backend: backendOf({ store, roster }) }, deafen: () => client.call('CLIENT', 'KILL', 'TYPE', 'pubsub') }
    }
  }
}

/** Connects a client and joins room a. The server reads without a rate limit. */
async function member (server: ChatApp, hello: object = {}): Promise<{ client: V1Client, id: string }> {
  const client = await server.tcp()
  const { member: { id } } = await client.hello(hello)
  await client.join('a')
  return { client, id }
}

async function stored ({ app }: ChatApp): Promise<unknown[]> {
  await app.chat.publish('a', { text: 'end' })
  return (await app.chat.history('a', { limit: POSTS * 2 })).entries.map(({ text }) => text)
}

for (const [backend, { skip, open }] of Object.entries(backends)) {
  for (const [title, act] of Object.entries(acts)) {
    t.test(`${backend}: none of ${POSTS} posts sent right after ${title} is stored`, { skip }, async (t) => {
      const { options, deafen } = await open(t)
      const server = await chat(t, options)
      const { client, id } = await member(server)
      await deafen()
      await act(server.app, id)
      for (let i = 0; i < POSTS; i++) client.post('a', `${i}`)
      if (title === 'mute') {
        for (const message of await client.take(POSTS)) t.match(message, { type: 'error', code: 'muted', message: 'muted: so it is' })
      } else {
        t.strictSame(await client.closed, { code: 4403, reason: 'so it is' })
      }
      t.strictSame(await stored(server), ['end'], "only the app's message is stored")
    })

    t.test(`${backend}: ${title} applies to a connection that is being authenticated`, { skip }, async (t) => {
      const waits = gate()
      const server = await chat(t, {
        ...(await open(t)).options,
        authenticate: async (_, hello) => {
          if (hello?.token === 'waits') await waits.pass()
          return { id: 'ada' }
        }
      })
      const client = await server.tcp()
      client.say({ type: 'hello', token: 'waits' })
      client.say({ type: 'join', room: 'a' })
      client.post('a', 'x')
      await waits.reached
      await act(server.app, 'ada')
      waits.open()
      if (title === 'mute') t.match(await client.take(3), [{ type: 'welcome' }, { type: 'joined' }, { type: 'error', code: 'muted' }])
      else t.strictSame(await client.closed, { code: 4403, reason: 'so it is' })
      if (title === 'kick') await (await member(server)).client.posted('a', 'comes back')
      t.strictSame(await stored(server), title === 'kick' ? ['comes back', 'end'] : ['end'])
    })
  }

  t.test(`${backend}: unmute and unban are in effect when they resolve`, { skip }, async (t) => {
    const server = await chat(t, { ...(await open(t)).options, authenticate: () => ({ id: 'ada' }) })
    for (let i = 0; i < 20; i++) {
      await server.app.chat.ban('ada', day)
      await server.app.chat.unban('ada')
      const { client } = await member(server)
      await server.app.chat.mute('ada', day)
      await server.app.chat.unmute('ada')
      await client.posted('a', 'x')
      await server.app.chat.kick('ada')
      t.match(await client.closed, { code: 4403, reason: 'kicked by a moderator' })
    }
  })

  t.test(`${backend}: a mute without end applies to later connections`, { skip }, async (t) => {
    const server = await chat(t, { ...(await open(t)).options, authenticate: () => ({ id: 'ada' }) })
    await server.app.chat.mute('ada', { duration: Infinity })
    const { client } = await member(server)
    t.match(await client.refused({ type: 'post', room: 'a', text: 'x', id: 'i' }), { code: 'muted', message: 'muted: muted by a moderator' })
  })
}

for (const [title, act] of Object.entries(acts)) {
  for (const where of ['authorize', 'prePost']) {
    t.test(`a post that waits in ${where} during ${title} is not stored`, async (t) => {
      const waits = gate()
      const server = await chat(t, {
        authorize: async ({ action }) => {
          if (where === 'authorize' && action === 'post') await waits.pass()
          return true
        },
        prePost: async (draft) => {
          if (where === 'prePost') await waits.pass()
          return draft
        }
      })
      const { client, id } = await member(server)
      for (let i = 0; i < 10; i++) client.post('a', `${i}`)
      await waits.reached
      await act(server.app, id)
      waits.open()
      if (title === 'mute') for (const message of await client.take(10)) t.match(message, { type: 'error', code: 'muted' })
      else t.match(await client.closed, { code: 4403 })
      await tick()
      t.strictSame(await stored(server), ['end'])
    })
  }

  t.test(`a post whose id is looked up during ${title} is not stored`, async (t) => {
    const waits = gate()
    const server = await chat(t, {
      backend: backendWith((works) => ({
        async find (room, key) {
          const found = await works.find(room, key)
          await waits.pass()
          return found
        }
      }))
    })
    const { client, id } = await member(server)
    const since = (await server.app.chat.history('a')).head.position
    const position = await client.posted('a', 'x', { id: 'known' })
    client.post('a', 'x', { id: 'known', since })
    client.post('a', 'y', { id: 'new', since })
    await waits.reached
    await act(server.app, id)
    waits.open()
    if (title === 'mute') t.match(await client.take(2), [{ type: 'ack', id: 'known', position }, { type: 'error', id: 'new', code: 'muted' }])
    else t.match(await client.closed, { code: 4403 })
    t.strictSame(await stored(server), ['x', 'end'])
  })

  t.test(`posts of a plain member after ${title} are not stored`, async (t) => {
    const server = await chat(t, { chat: { defaultRoom: 'a' }, authenticate: () => ({ id: 'ada' }) })
    const client = await server.plain()
    client.socket.send('before')
    t.equal(await client.next(), 'before')
    await act(server.app, 'ada')
    for (let i = 0; i < 100; i++) client.socket.send(`${i}`)
    if (title !== 'mute') t.strictSame(await client.closed, { code: 4403, reason: 'so it is' })
    else while ((server.app.chat.stats().refusals['muted'] ?? 0) < 100) await tick()
    t.strictSame(await stored(server), ['before', 'end'])
  })
}

t.test('a kick that is reported again or late does not close a member that reconnected', async (t) => {
  const roster = new MemoryRoster()
  const { app, tcp } = await chat(t, { backend: backendOf({ roster }), authenticate: () => ({ id: 'ada' }) })
  const listeners = new Set<Parameters<typeof roster.onRestrict>[0]>()
  const kicks: Array<Parameters<Parameters<typeof roster.onRestrict>[0]>> = []
  t.teardown(roster.onRestrict((...kick) => { kicks.push(kick) }))
  const other = new MemoryRoster()
  const { onRestrict } = roster
  other.onRestrict = (listener) => { listeners.add(listener); return onRestrict.call(roster, listener) }
  other.restrictions = (who) => roster.restrictions(who)
  const far = await chat(t, { backend: backendOf({ roster: other }), authenticate: () => ({ id: 'ada' }) })
  const first = await tcp()
  await first.hello()
  await app.chat.kick('ada')
  await app.chat.ban('ada', day)
  await app.chat.unban('ada')
  await first.closed
  const back = await far.member({}, 'a')
  for (const kick of kicks) for (const listener of listeners) listener(...kick)
  await back.posted('a', 'still here')
})

t.test('invalid arguments of kick, mute, ban, unmute and unban reject and change nothing', async (t) => {
  const server = await chat(t)
  const { client, id } = await member(server)
  const { chat: calls } = server.app
  await calls.ban('banned', day)
  const durations = [undefined, null, NaN, '0', '1000', 0, -1, -Infinity, new Date(), {}]
  const reasons = [null, 7, {}, ['x'], 'x'.repeat(124), 'é'.repeat(62), '\ud83d']
  const options = [undefined, null, 1_000, 'a reason', [1_000], { duration: 1_000, ms: 1 }, { duration: 1_000, until: 1 }, {},
    ...durations.map((duration) => ({ duration })), ...reasons.map((reason) => ({ duration: 1_000, reason }))]
  const ids = [undefined, null, '', 7, ['x'], 'address:127.0.0.1', 'x'.repeat(129), 'x\n']
  const subjects = [...ids, {}, { address: 'x' }, { address: undefined }, { address: 7 }, { address: ['127.0.0.1'] }, { id }, { address: '127.0.0.1', id }]
  type Loose = Record<string, (...args: unknown[]) => Promise<void>>
  const loose: Loose = Object.fromEntries(['kick', 'mute', 'ban', 'unmute', 'unban'].map((name) =>
    [name, (...args) => (calls as unknown as Loose)[name]!(...args)]))
  const wrong: Array<[name: string, ...args: unknown[]]> = [
    ...options.flatMap((given): Array<[string, ...unknown[]]> => ['banned', id].flatMap((who): Array<[string, ...unknown[]]> => [['ban', who, given], ['mute', who, given]])),
    ...[null, 'a reason', 7, [], { duration: 1_000 }, { why: 'x' }, ...reasons.map((reason) => ({ reason }))].map((given): [string, ...unknown[]] => ['kick', id, given]),
    ...ids.flatMap((who): Array<[string, ...unknown[]]> => [['kick', who, {}], ['mute', who, day], ['unmute', who]]),
    ...subjects.flatMap((who): Array<[string, ...unknown[]]> => [['ban', who, day], ['unban', who]])
  ]
  for (const [name, ...args] of wrong) {
    let called!: Promise<void>
    t.doesNotThrow(() => { called = loose[name]!(...args) })
    await t.rejects(called, { code: /^FST_CHAT_INVALID_(ARGUMENT|ADDRESS)$/, statusCode: 400 }, `${name} ${JSON.stringify(args)}`)
  }
  await client.posted('a', 'neither kicked nor muted nor banned')
  await client.end()
})

t.test('invalid arguments of delete, history, subscribe and publish reject and change nothing', async (t) => {
  const server = await chat(t)
  const { chat: calls } = server.app
  const position = await calls.publish('a', { text: 'kept' })
  const argument = { code: 'FST_CHAT_INVALID_ARGUMENT', statusCode: 400 }
  for (const wrong of [undefined, null, '', 0, 1, {}, [position]] as string[]) await t.rejects(calls.delete('a', wrong), argument, JSON.stringify(wrong))
  for (const wrong of [null, 10, 'x', [], { limit: '5' }, { limit: NaN }, { limit: -1 }, { limit: 1.5 }, { limit: Infinity }, { limit: null },
    { before: null }, { before: '' }, { before: 7 }, { after: position }] as object[]) await t.rejects(calls.history('a', wrong), argument, JSON.stringify(wrong))
  for (const wrong of [undefined, null, 'x', {}] as never[]) await t.rejects(calls.subscribe('a', wrong), argument, JSON.stringify(wrong))
  for (const wrong of [undefined, null, 'x', 7, [], {}, { text: 'x', form: null }] as never[]) {
    await t.rejects(calls.publish('a', wrong), argument, JSON.stringify(wrong))
  }
  t.strictSame(calls.rooms(), [], 'no room is open')
  t.strictSame((await calls.history('a', { limit: 10, before: undefined })).entries.map(({ text }) => text), ['kept'])
})

t.test('a muted member is not shown as typing, and receives no error for it', async (t) => {
  const server = await chat(t)
  const { client, id } = await member(server)
  const { client: bob } = await member(server)
  await server.app.chat.mute(id, day)
  client.say({ type: 'typing', room: 'a' })
  t.match(await client.refused({ type: 'post', room: 'a', text: 'x', id: 'i' }), { code: 'muted', request: 'post' }, 'no earlier message is received')
  await server.app.chat.unmute(id)
  client.say({ type: 'typing', room: 'a' })
  t.match(await bob.next(), { type: 'typing', from: { id } })
  t.match(await client.next(), { type: 'typing' })
})

t.test('typing needs the right to post, and authorize runs once in five seconds for it', async (t) => {
  const asked: string[] = []
  const allowed = new Set(['join', 'post'])
  const server = await chat(t, {
    authorize: async ({ member, action, room }) => {
      await tick()
      asked.push(`${member.name} ${action} ${room}`)
      return member.name === 'bob' ? action !== 'post' : allowed.has(action)
    }
  })
  const [ada, bob] = [await server.member({ name: 'ada' }, 'a'), await server.member({ name: 'bob' }, 'a')]
  for (let i = 0; i < 10; i++) bob.say({ type: 'typing', room: 'a' })
  t.match(await bob.refused({ type: 'post', room: 'a', text: 'x', id: 'i' }), { code: 'forbidden' })
  for (let i = 0; i < 10; i++) ada.say({ type: 'typing', room: 'a' })
  for (const message of [...await ada.take(10), ...await bob.take(10)]) t.match(message, { type: 'typing', from: { name: 'ada' } })
  t.strictSame(asked, ['ada join a', 'ada join a', 'bob join a', 'bob post a', 'bob post a', 'ada post a'])
})

t.test('a member that is muted while authorize is pending is not shown as typing', async (t) => {
  const waits = gate()
  const server = await chat(t, {
    authorize: async ({ action }) => {
      if (action === 'post') await waits.pass()
      return true
    }
  })
  const { client, id } = await member(server)
  client.say({ type: 'typing', room: 'a' })
  await waits.reached
  await server.app.chat.mute(id, day)
  waits.open()
  t.match(await client.refused({ type: 'post', room: 'a', text: 'x', id: 'i' }), { code: 'muted' })
})

t.test('a muted member stores nothing by a repeat whose id the store has just forgotten', async (t) => {
  let isForgotten = false
  const server = await chat(t, {
    authorize: async ({ action, entry, member }) => entry === undefined || action === 'react' || entry.from?.id === member.id,
    backend: backendWith((works) => ({
      // As if the id were forgotten between this call and the next one.
      find: async (...args) => await works.find(...args) ?? (isForgotten ? { offset: 1, position: 'forgotten' } : undefined),
      findChange: async (...args) => await works.findChange(...args) ?? (isForgotten ? { number: 1, revision: 'forgotten' } : undefined)
    }))
  })
  const ada = await server.member({ changes: true }, 'a')
  const bob = await server.member({ changes: true }, 'a')
  const position = await bob.posted('a', 'of bob')
  await ada.next()
  bob.say({ type: 'edit', room: 'a', position, id: 'e', text: 'edited by bob' })
  const { revision: since } = await ada.expect('changed')
  const { from } = (await server.app.chat.history('a')).entries[0]!
  const { members } = await server.app.chat.members('a')
  for (const { id } of members) if (id !== from!.id) await server.app.chat.mute(id, day)
  isForgotten = true
  t.match(await ada.refused({ type: 'edit', room: 'a', position, id: 'x', text: 'of ada', since }), { code: 'stale_post' })
  t.match(await ada.refused({ type: 'post', room: 'a', id: 'y', text: 'of ada', since: position }), { code: 'stale_post' })
  t.match((await server.app.chat.history('a')).entries, [{ text: 'edited by bob' }])
})
