// The attacks of test/faults/ with lowered limits and a number of steps instead of a time.
import t from 'tap'
import { directory } from '../support/directory.ts'
import { attacks } from '../faults/attacks.ts'
import type { ServerConfig } from '../faults/server.ts'
import { underAttack } from '../faults/under-attack.ts'
import { redisServer, skip } from '../support/redis-server.ts'

const MiB = 1024 * 1024

/** As good as no limit: JSON, in which the server is told its options, has no Infinity. */
const MANY = 1_000_000_000

/** MiB of the server's old space: what its code takes, and little beside `storeBytes` and the budgets. */
const HEAP = 160

/** Steps of all attackers together: several times what the store may hold. */
const STEPS = 4_000

const lowered: ServerConfig = {
  store: { storeBytes: 16 * MiB, inFlightBytes: 8 * MiB },
  options: {
    limits: {
      storeBytes: 16 * MiB,
      messageRate: MANY,
      byteRate: MANY,
      handshakeRate: MANY,
      rooms: 500,
      connections: 1_500,
      replyBudget: 8 * MiB,
      receiveBudget: 8 * MiB
    }
  }
}

/** The attacks on what a store keeps: the others are the same whatever the store. */
const onStores = Object.keys(attacks).filter((name) => /new rooms|room each/.test(name))

async function attacked (t: Parameters<typeof underAttack>[0], name: string, config: ServerConfig): Promise<void> {
  let steps = 0
  const { posted, received, peak } = await underAttack(t, {
    config, heap: HEAP, attack: attacks[name]!, pace: 1, goesOn: () => ++steps <= STEPS
  })
  t.equal(received, posted, `nothing is lost in another room; the server's peak was ${peak.heap} MiB of heap`)
}

for (const name of Object.keys(attacks)) {
  t.test(`memory: the server and other rooms survive ${name}`, (t) => attacked(t, name, lowered))
}

for (const name of onStores) {
  t.test(`lmdb: the server and other rooms survive ${name}`, (t) => attacked(t, name, { ...lowered, data: directory(t) }))
  t.test(`redis: the server and other rooms survive ${name}`, { skip }, async (t) => {
    const { socket } = await redisServer(t, { args: ['--maxmemory', '24mb', '--maxmemory-policy', 'noeviction'] })
    await attacked(t, name, { ...lowered, redis: socket })
  })
}
