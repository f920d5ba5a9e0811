import t, { type Test } from 'tap'
import type { RedisStoreOptions } from '../../src/drivers/redis/store/options.ts'
import { RoomScripts } from '../../src/drivers/redis/store/room-scripts.ts'
import { RedisStore } from '../../src/drivers/redis/store/store.ts'
import { deletion, fill, react, says, upTo } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'
import { redisCluster, redisServer, skip } from '../support/redis-server.ts'

const never = 3_600_000

function open (t: Test, options: RedisStoreOptions, pollInterval = never): RedisStore {
  const store = new RedisStore(options, pollInterval)
  t.teardown(() => store.close())
  return store
}

const toggles = (i: number) => react('👍', 'ada', i % 2 === 1)

function assertMakers (t: Test, { changes }: Follower, count: number): void {
  t.strictSame(changes.map(({ change: { number } }) => number), upTo(count), 'each change once, in order')
  t.equal(changes.filter((change) => change.made !== undefined && change.by === 'ada').length, count, 'with the member who made it')
}

t.test('changes that a poll reads before their publication are delivered with their member', { skip }, async (t) => {
  const server = await redisServer(t)
  const [store, peer] = [open(t, { url: server.socket }, 1), open(t, { url: server.socket })]
  const [position] = await fill(peer, 'a', 1)
  const follower = await Follower.of(store, 'a')
  for (const i of upTo(300)) {
    await peer.amend('a', position!, toggles(i))
    if (i % 10 === 0) await follower.until(() => follower.changes.length === i)
  }
  await follower.until(() => follower.changes.length >= 300)
  assertMakers(t, follower, 300)
})

for (const kind of ['one Redis', 'a Cluster'] as const) {
  t.test(`changes that a further follower reads first have their member: ${kind}`, { skip }, async (t) => {
    const target = kind === 'one Redis' ? { url: (await redisServer(t)).socket } : { client: await redisCluster(t, 3) }
    const store = open(t, target)
    const [position] = await fill(store, 'a', 1)
    const follower = await Follower.of(store, 'a')
    for (const i of upTo(50)) {
      const made = store.amend('a', position!, toggles(i))
      await new Promise(setImmediate)
      const other = await Follower.of(store, 'a')
      other.feed.stop()
      await made
    }
    await follower.until(() => follower.changes.length >= 50)
    assertMakers(t, follower, 50)
  })
}

t.test('posts and changes that are read and published at the same time arrive once, in order', { skip }, async (t) => {
  const server = await redisServer(t)
  const [store, peer] = [open(t, { url: server.socket }, 1), open(t, { url: server.socket })]
  const follower = await Follower.of(store, 'a')
  for (const i of upTo(200)) {
    const { position } = await peer.append('a', says(`${i}`))
    const made = peer.amend('a', position, react('👍', 'ada'))
    if (i % 3 === 0) (await Follower.of(store, 'a')).feed.stop()
    await made
  }
  await follower.until(() => follower.changes.length >= 200 && follower.entries.length >= 200)
  t.strictSame(follower.numbers, upTo(200))
  t.ok(follower.pages.every(({ complete }) => complete))
  assertMakers(t, follower, 200)
})

t.test('a feed that missed the change of an entry that was removed since delivers a break', { skip }, async (t) => {
  const server = await redisServer(t)
  const options = { url: server.socket, historyEntries: 5 }
  const [store, peer] = [open(t, options), open(t, options)]
  const [first] = await fill(peer, 'a', 5)
  const follower = await Follower.of(store, 'a')
  // The follower receives no publication, as during a break of its connection.
  t.intercept(RoomScripts.prototype, 'channel', { value: () => 'elsewhere' })
  await peer.amend('a', first!, deletion)
  await fill(peer, 'a', 3)
  // It reads when it is connected again.
  await server.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await follower.until(() => follower.pages.length > 0)
  t.strictSame(follower.pages.map(({ complete }) => complete), [false])
  const { head } = await peer.read('a', { limit: 1, maxBytes: 1 })
  t.strictSame(follower.pages.at(-1)!.head, head)
})
