import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { rateLimiter, type RateLimits } from '../../src/client/requests/rate-limiter.ts'

/** Returns a rate limiter with these limits, on a clock that the test holds. */
function limiter (t: Test, limits: RateLimits) {
  let time = 1_000
  t.intercept(performance, 'now', { value: () => time })
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const limiter = rateLimiter()
  limiter.reset(limits)
  return {
    limiter,
    pass (ms: number) {
      time += ms
      mock.timers.tick(ms)
    }
  }
}

t.test("the client uses half of the server's burst, and the whole rate", async (t) => {
  const { limiter: requests, pass } = limiter(t, { rate: 10, burst: 5 })
  t.same([requests.take(1), requests.take(1), requests.take(1)], [0, 0, 100])
  pass(99)
  t.equal(requests.take(1), 1)
  pass(1)
  t.equal(requests.take(1), 0)
  t.same([requests.fits(2, 1e9), requests.fits(3, 0)], [true, false])
})

t.test('bytes are limited like requests', async (t) => {
  const { limiter: requests } = limiter(t, { byteRate: 1_000, byteBurst: 200 })
  t.same([requests.take(60), requests.take(60), requests.take(40)], [0, 20, 0])
  t.same([requests.fits(1e9, 100), requests.fits(1, 101)], [true, false])
})

t.test('a burst of 1 leaves one request', async (t) => {
  const { limiter: requests } = limiter(t, { rate: 10, burst: 1 })
  t.same([requests.take(1), requests.take(1)], [0, 100])
})

t.test('a rate of 0, or without a burst, limits nothing', async (t) => {
  for (const limits of [{}, { rate: 10 }, { burst: 2 }, { rate: 0, burst: 2 }, { byteRate: 0, byteBurst: 2 }]) {
    await t.test(JSON.stringify(limits), async (t) => {
      const { limiter: requests } = limiter(t, limits)
      t.same([requests.take(1e9), requests.take(1e9)], [0, 0])
      t.ok(requests.fits(1e9, 1e9))
    })
  }
})

t.test('scheduled requests are sent in order, each when its tokens are available', async (t) => {
  const { limiter: requests, pass } = limiter(t, { rate: 10, burst: 4 })
  const sent: string[] = []
  for (const name of ['a', 'b', 'c']) requests.schedule(1, 0, () => sent.push(name))
  requests.schedule(4, 0, () => sent.push('more than the bucket holds'))
  t.same(sent, ['a', 'b'])
  t.equal(requests.take(0), 600, 'waits behind the scheduled requests')
  pass(100)
  t.same(sent, ['a', 'b', 'c'])
  pass(199)
  t.equal(sent.length, 3)
  pass(1)
  t.equal(sent.length, 4)
})

t.test('a new connection begins with a full bucket, and without a pause', async (t) => {
  const { limiter: requests } = limiter(t, { rate: 10, burst: 4 })
  requests.take(1)
  requests.pause(5_000)
  t.equal(requests.take(1), 5_000)
  requests.reset({ rate: 10, burst: 4 })
  t.same([requests.take(1), requests.take(1), requests.take(1)], [0, 0, 100])
})
