import t from 'tap'
import type { RedisClient } from '../../src/drivers/redis/client/client.ts'
import { Lease } from '../../src/drivers/redis/roster/lease.ts'
import { HeldClock } from '../support/held-clock.ts'
import { tick } from '../support/tick.ts'

/** Returns a lease of 3 s that a stub of Redis renews, and the names under which it was renewed. */
function setUp () {
  const clock = new HeldClock()
  const redis = { isDown: false, renewals: [] as string[] }
  const client = {
    key: (room: string, rest: string) => `${room}:${rest}`,
    channel: (room: string, rest: string) => `${room}:${rest}`,
    publish: () => {},
    async run (_: unknown, __: unknown, [node]: [string]): Promise<[number, string[]]> {
      redis.renewals.push(node)
      if (redis.isDown) throw new Error('down')
      return [0, [node, '3000']]
    }
  }
  const failures: string[] = []
  const lease = new Lease(client as unknown as RedisClient, 3_000, { renewed () {}, failed () { failures.push('failed') } }, clock.after)
  return { clock, redis, lease, failures }
}

t.test('a lease is renewed at a third of its length', async (t) => {
  const { clock, redis, lease } = setUp()
  t.equal(await lease.renew(), true)
  clock.pass(1_000)
  t.equal(redis.renewals.length, 1, 'the timer allows for the rounding of times in Redis')
  clock.pass(10)
  await tick()
  t.strictSame(redis.renewals, [lease.node, lease.node])
})

t.test('a renewal that failed is repeated at a thirtieth of its length', async (t) => {
  const { clock, redis, lease, failures } = setUp()
  redis.isDown = true
  t.equal(await lease.renew(), false)
  t.match(lease.failure, { message: 'down' })
  clock.pass(110)
  await tick()
  t.equal(redis.renewals.length, 2)
  t.equal(failures.length, 2)
  redis.isDown = false
  clock.pass(110)
  await tick()
  t.equal(lease.failure, undefined)
})

t.test('a lease is not renewed after stop()', async (t) => {
  const { clock, redis, lease } = setUp()
  await lease.renew()
  lease.stop()
  t.equal(clock.waiting, 0)
  t.equal(await lease.renew(), false)
  t.equal(redis.renewals.length, 1)
})

t.test('a renewal that was under way at stop() starts no further one', async (t) => {
  const { clock, redis, lease } = setUp()
  const renewing = lease.renew()
  lease.stop()
  await renewing
  t.equal(clock.waiting, 0)
  t.equal(redis.renewals.length, 1)
})
