import t, { type Test } from 'tap'
import { RedisClient } from '../../src/drivers/redis/client/client.ts'
import { resolveOptions } from '../../src/drivers/redis/store/options.ts'
import { RoomScripts } from '../../src/drivers/redis/store/room-scripts.ts'
import { RedisStore } from '../../src/drivers/redis/store/store.ts'
import { redisServer, skip, type RedisServer } from '../support/redis-server.ts'
import { all, fill, removal, says, upTo } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'
import type { Control } from '../../src/change.ts'

const state = 'fastify-chat:{a}:room'

/** Starts a store whose follower receives no publications until `found` is awaited, and scripts that make what it misses. */
async function missing (t: Test, prepare: (store: RedisStore) => Promise<unknown> = async () => {}) {
  const server = await redisServer(t)
  const store = new RedisStore({ url: server.socket }, 3_600_000)
  t.teardown(() => store.close())
  await fill(store, 'a', 1)
  await prepare(store)
  const follower = await Follower.of(store, 'a')
  const silent = Object.assign(scriptsOf(t, server), { channel: () => 'elsewhere' })
  return {
    server,
    store,
    follower,
    clear: async () => { await silent.clear('a') },
    control: async (control: Control) => await silent.control('a', JSON.stringify(control)),
    /** Resolves with the controls that the follower received, when it has caught up. */
    async found (): Promise<Control[]> {
      await server.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await store.append('a', says('end'))
      await follower.has('end')
      return follower.controls.map(({ control }) => control)
    }
  }
}

function scriptsOf (t: Test, { socket }: RedisServer): RoomScripts {
  const client = new RedisClient({ url: socket })
  t.teardown(() => client.close())
  return new RoomScripts(client, 'x', resolveOptions({}).room)
}

t.test('a removal before a clear reaches a node that was out of touch, before the break', { skip }, async (t) => {
  const { store, follower, clear, control, found } = await missing(t, (store) => store.control('a', removal('old')))
  await control(removal('ada', 'grüße "\\ \n'))
  await control({ reauthorize: { member: 'bob' } })
  await clear()
  await control(removal('carl'))
  t.strictSame(await found(), [removal('ada', 'grüße "\\ \n'), { reauthorize: { member: 'bob' } }, removal('carl')])
  t.match(follower.pages[0], { complete: false, entries: [], controls: [{ change: { number: 2 } }, { change: { number: 3 } }] })
  t.not(follower.controls[0]!.change.revision.split('-')[0], follower.controls[2]!.change.revision.split('-')[0], 'each with its own epoch')
  t.ok((await store.read('a', all)).complete)
})

t.test('controls of several cleared epochs are reported as several breaks', { skip }, async (t) => {
  const { follower, clear, control, found } = await missing(t)
  for (const i of upTo(3)) {
    await control(removal(`${i} a`))
    await control(removal(`${i} b`))
    await clear()
  }
  t.strictSame(await found(), upTo(3).flatMap((i) => [removal(`${i} a`), removal(`${i} b`)]))
  t.strictSame(follower.pages.slice(0, 3).map(({ complete, controls = [] }) => [complete, controls.map(({ change }) => change.number)]), upTo(3).map(() => [false, [1, 2]]))
})

t.test('a follower of a later epoch receives no control of an earlier one', { skip }, async (t) => {
  const { clear, found } = await missing(t, async (store) => {
    await store.control('a', removal('old'))
    await store.clear('a')
    await store.clear('a')
  })
  await clear()
  await clear()
  t.strictSame(await found(), [])
})

t.test('the carried controls are bounded in bytes and age, and charged', { skip }, async (t) => {
  const { server, clear, control, found } = await missing(t)
  const charge = async () => (await scriptsOf(t, server).readHead('a', false))!.charge
  const big = (i: number) => removal(`${i}`, 'x'.repeat(4_000))
  for (const i of upTo(40)) await control(big(i))
  await clear()
  const carried = (await server.client.hget(state, 'carried'))!
  t.ok(carried.length > 56 * 1024 && carried.length <= 64 * 1024)
  t.ok(await charge() > carried.length)
  const before = await charge()
  for (let i = 0; i < 3; i++) await clear()
  t.ok(await charge() <= before + 1_000)
  const members = (await found()).map((each) => 'remove' in each && Number(each.remove.member))
  t.strictSame(members, upTo(40, 41 - members.length), 'the newest ones')
  await server.client.hset(state, 'carried', `e 1 ${Date.now() - 25 * 3_600_000} {"reauthorize":{}}\n`)
  await clear()
  t.equal(await server.client.hexists(state, 'carried'), 0, 'a day later')
})

t.test('a room without controls carries nothing', { skip }, async (t) => {
  const { server, clear, found } = await missing(t)
  await clear()
  t.strictSame([await server.client.hexists(state, 'carried'), await server.client.hexists(state, 'changes')], [0, 0])
  t.strictSame(await found(), [])
})
