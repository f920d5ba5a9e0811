import t from 'tap'
import { redis } from '../../src/drivers/redis/backend.ts'
import { removals } from '../support/removals.ts'
import { redisServer, skip } from '../support/redis-server.ts'

const bounds = { historyEntries: 10_000, historyBytes: 64 * 1024 ** 2 }

for (const isCut of [false, true]) {
  const title = isCut ? 'while subscriptions are cut' : 'undisturbed'
  t.test(`no message stored after a removal reaches the member on two nodes of Redis, ${title}`, { skip }, async (t) => {
    const { socket, client } = await redisServer(t)
    const backends = [redis({ url: socket, ...bounds }), redis({ url: socket, ...bounds })]
    const cut = async () => Math.random() < 0.5 && await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    const tally = await removals(t, { backends, tries: 1_000, ...isCut && { disturb: cut } })
    t.match(tally, { tries: 1_000, received: 0, stored: 0 })
    console.log(`# ${title}: ${JSON.stringify(tally)}`)
  })
}
