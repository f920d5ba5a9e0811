import t from 'tap'
import { StreamLeases } from '../../src/drivers/stream-leases.ts'

t.test('an entry is idle since its last renewal, and for ever without one', async (t) => {
  let now = 1_000
  t.intercept(performance, 'now', { value: () => now })
  const leases = new StreamLeases()
  t.equal(leases.idleTime('a'), Infinity)
  leases.renew('a')
  now += 10
  leases.renew('b')
  now += 5
  t.strictSame([leases.idleTime('a'), leases.idleTime('b')], [15, 5])
  leases.renew('a')
  now += 1
  t.strictSame([leases.idleTime('a'), leases.idleTime('b')], [1, 6])
  leases.end('a')
  leases.end('c')
  t.strictSame([leases.idleTime('a'), leases.idleTime('b')], [Infinity, 6])
  leases.clear()
  t.equal(leases.idleTime('b'), Infinity)
})
