import t from 'tap'
import { lmdb } from '../../src/drivers/lmdb/backend.ts'
import { memory } from '../../src/drivers/memory/backend.ts'
import { redis } from '../../src/drivers/redis/backend.ts'
import { directory } from '../support/directory.ts'
import { full } from '../support/full.ts'
import { removals } from '../support/removals.ts'
import { redisServer, skip } from '../support/redis-server.ts'

const tries = full(1_000, 200)

const bounds = { historyEntries: 10_000, historyBytes: 64 * 1024 ** 2 }

t.test('a removed member receives no message stored after its removal', async (t) => {
  const tally = await removals(t, { backends: [memory(bounds)], tries })
  t.match(tally, { tries, received: 0, stored: 0 })
})

t.test('on LMDB, a removed member receives no message stored after its removal', async (t) => {
  const tally = await removals(t, { backends: [lmdb({ path: directory(t), ...bounds })], tries })
  t.match(tally, { tries, received: 0, stored: 0 })
})

t.test('on two nodes of Redis, a removed member receives no message stored after its removal', { skip }, async (t) => {
  const { socket, client } = await redisServer(t)
  const backends = [redis({ url: socket, ...bounds }), redis({ url: socket, ...bounds })]
  const disturb = async (attempt: number) => attempt % 5 === 0 && await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  const tally = await removals(t, { backends, tries: tries / 10, disturb })
  t.match(tally, { tries: tries / 10, received: 0, stored: 0 })
})
