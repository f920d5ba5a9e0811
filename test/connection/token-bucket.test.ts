import t from 'tap'
import { Rate, TokenBucket } from '../../src/connection/token-bucket.ts'

/** Returns a bucket on a clock that the test holds. */
function bucket (perSecond: number, burst: number) {
  const clock = { ms: 1_000 }
  return { clock, bucket: new TokenBucket(new Rate(perSecond, burst, () => clock.ms)) }
}

t.test('take spends the burst at once, then returns the ms until the next token', async (t) => {
  const { clock, bucket: tokens } = bucket(10, 3)
  t.strictSame([tokens.take(1), tokens.take(2), tokens.take(1)], [0, 0, 100])
  clock.ms += 99
  t.equal(tokens.take(1), 1)
  clock.ms += 1
  t.equal(tokens.take(1), 0)
  t.equal(tokens.take(1), 100)
  clock.ms += 10_000
  t.strictSame([tokens.take(3), tokens.take(1)], [0, 100], 'the bucket holds no more than the burst')
})

t.test('take of more tokens than the burst waits until the bucket is full', async (t) => {
  const { clock, bucket: tokens } = bucket(10, 3)
  t.equal(tokens.take(1), 0)
  t.equal(tokens.take(50), 100)
  clock.ms += 100
  t.equal(tokens.take(50), 0)
  t.equal(tokens.take(1), 100, 'it takes the whole burst, and no debt')
})

t.test('wait takes no tokens, and counts those that others take first', async (t) => {
  const { bucket: tokens } = bucket(10, 3)
  t.strictSame([tokens.wait(3), tokens.wait(1, 2), tokens.wait(1, 3), tokens.wait(50, 1), tokens.wait(2, 6)], [0, 0, 100, 100, 500])
  t.equal(tokens.take(3), 0)
})

t.test('spend goes into debt and returns the ms until it is paid', async (t) => {
  const { clock, bucket: tokens } = bucket(10, 3)
  t.strictSame([tokens.spend(3), tokens.spend(2), tokens.spend(0)], [0, 200, 200])
  t.equal(tokens.take(1), 300)
  clock.ms += 150
  t.equal(tokens.spend(0), 50)
})

t.test('an infinite rate or burst limits nothing', async (t) => {
  for (const [rate, burst] of [[Infinity, 1], [Infinity, Infinity], [1, Infinity]] as const) {
    const { bucket: tokens } = bucket(rate, burst)
    t.strictSame([tokens.take(1e9), tokens.wait(1e9, 1e9), tokens.spend(1e9), tokens.take(1e9)], [0, 0, 0, 0], `${rate} per second, burst ${burst}`)
  }
})

t.test('a wait is in whole ms, and one under 1 ms is 0', async (t) => {
  const { bucket: tokens } = bucket(3, 1)
  t.equal(tokens.take(1), 0)
  t.equal(tokens.take(1), 334)
  const { bucket: fast } = bucket(2_000, 1)
  t.strictSame([fast.take(1), fast.take(1), fast.take(1)], [0, 0, 1])
})
