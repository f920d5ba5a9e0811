import t from 'tap'
import type { Test } from 'tap'
import { redis } from '../../src/drivers/redis/backend.ts'
import { build } from '../support/app.ts'
import { backendWith } from '../support/backend.ts'
import { chat } from '../support/chat-app.ts'
import { redisServer, skip } from '../support/redis-server.ts'
import type { Query, Store } from '../../src/store.ts'

/** Starts a node over a store in memory that counts any stream as idle. `reads` has the queries so far. */
async function served (t: Test, failures = 0) {
  let store!: Store
  const reads: Query[] = []
  const node = await chat(t, {
    backend: backendWith((works) => {
      store = works
      return {
        async read (room, query) {
          reads.push(query)
          if (query.limit === 100 && failures-- > 0) throw new Error('of the driver')
          return await works.read(room, query)
        },
        async amend (room, position, { idle: _, ...amendment }) { return await works.amend(room, position, amendment) }
      }
    })
  })
  const append = async (body: string, streaming?: true) => (await store.append('a', { from: null, body, streaming })).position
  const revision = async () => (await store.read('a', { limit: 0, maxBytes: 0 })).revision
  return { ...node, append, revision, reads }
}

t.test('a text whose writer died is ended when all members resume', async (t) => {
  const { member, append, revision } = await served(t)
  const position = await append('so f', true)
  const after = await append('later')
  const client = await member({ changes: true })
  t.match(await client.join('a', { after, revision: await revision() }), { complete: true, messages: [], changes: [] })
  t.match(await client.next(), { type: 'changed', position, ended: true, unfinished: true })
})

t.test('a text whose writer died is ended when all members join without history', async (t) => {
  const { member, append } = await served(t)
  const position = await append('so f', true)
  const client = await member({ changes: true })
  await client.join('a', { history: 0 })
  t.match(await client.next(), { type: 'changed', position, ended: true, unfinished: true })
})

t.test('the newest messages of a room are read once more, unless a usual join has read them', async (t) => {
  const { member, append, reads } = await served(t, 1)
  const after = await append('x')
  const join = async (query: object) => {
    const client = await member({ changes: true })
    await client.join('a', query)
    client.say({ type: 'ping', id: 'end' })
    await client.expect('pong')
  }
  for (let i = 0; i < 4; i++) await join({ after })
  t.equal(reads.filter(({ limit }) => limit === 100).length, 2)
  const other = await served(t)
  await other.append('x')
  await (await other.member({ changes: true })).join('a')
  await (await other.member({ changes: true })).join('a', { after: await other.append('y') })
  t.equal(other.reads.length, 2)
})

t.test('a text whose node died before another one opened the room is ended after a resume', { skip }, async (t) => {
  const server = await redisServer(t)
  const dead = await redis({ url: server.socket }).open(await build(t))
  t.teardown(() => dead.close())
  const { position } = await dead.store.append('a', { from: null, body: '', streaming: true })
  const { revision } = await dead.store.amend('a', position, { by: null, change: { append: 'so f', at: 0 } })
  const { position: after } = await dead.store.append('a', { from: null, body: 'later' })
  const { member } = await chat(t, { backend: redis({ url: server.socket }) }, { streamLease: 20 })
  const client = await member({ changes: true })
  t.match(await client.join('a', { after, revision }), { complete: true, messages: [], changes: [] })
  t.match(await client.next(), { type: 'changed', position, ended: true, unfinished: true })
})
