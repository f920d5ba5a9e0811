// Runs attacks of test/faults/ with lower limits, and for a number of steps instead of a duration: one on each bound, in full all.
import t from 'tap'
import { directory } from '../support/directory.ts'
import { full } from '../support/full.ts'
import { attacks } from '../faults/attacks.ts'
import type { ServerConfig } from '../faults/server.ts'
import { underAttack } from '../faults/under-attack.ts'
import { redisServer, skip } from '../support/redis-server.ts'

const MiB = 1024 * 1024

/** Effectively no limit: the server receives its options as JSON, which has no Infinity. */
const MANY = 1_000_000_000

/**
 * MiB of the server's old space: room for its code, `storeBytes` and the budgets, and little more. The server peaks at about 100:
 * a leak of 14 KiB a step exhausts the rest.
 */
const HEAP = 140

/** Steps of all attackers together. They send several times what the store may hold. */
const STEPS = full(2_000, 1_200)

/** Steps of attacks with data of thousands of objects, each of which takes 300 KiB and 20 times the CPU time of a text. */
const STEPS_OF_OBJECTS = full(600, 200)

const lowered: ServerConfig = {
  bounds: { storeBytes: 8 * MiB },
  options: {
    limits: {
      messageRate: MANY,
      byteRate: MANY,
      handshakeRate: MANY,
      rooms: 500,
      connections: 1_500,
      totalPendingBytes: 8 * MiB,
      receiveBudget: 8 * MiB
    }
  }
}

/** The bounds of a backend whose writes wait. */
const ofWrites = { storeBytes: 8 * MiB, inFlightBytes: 8 * MiB }

async function attacked (t: Parameters<typeof underAttack>[0], name: string, config: ServerConfig): Promise<void> {
  const last = name.startsWith('data of') ? STEPS_OF_OBJECTS : STEPS
  let steps = 0
  const { posted, received, peak } = await underAttack(t, {
    config, heap: HEAP, attack: attacks[name]!, pace: 1, goesOn: () => ++steps <= last
  })
  t.equal(received, posted, `no message is lost in another room; the server's heap peaked at ${peak.heap} MiB`)
}

/** Attacks on stored data. The other attacks don't depend on the store. */
const onStores = Object.keys(attacks).filter((name) => /new rooms|room each/.test(name))

/** Attacks on `storeBytes`, `totalPendingBytes` and `receiveBudget`. */
const onMemory = ['data of thousands of objects, in new rooms', 'pages of history that nobody reads', 'messages that are never finished']

for (const name of full(Object.keys(attacks), onMemory)) {
  t.test(`memory: the server and other rooms survive ${name}`, (t) => attacked(t, name, lowered))
}

for (const name of full(onStores, ['data of thousands of objects, in a room each'])) {
  t.test(`lmdb: the server and other rooms survive ${name}`, (t) => attacked(t, name, { ...lowered, bounds: ofWrites, data: directory(t) }))
}

for (const name of full(onStores, [])) {
  t.test(`redis: the server and other rooms survive ${name}`, { skip }, async (t) => {
    const { socket } = await redisServer(t, { args: ['--maxmemory', '24mb', '--maxmemory-policy', 'noeviction'] })
    await attacked(t, name, { ...lowered, bounds: ofWrites, redis: socket })
  })
}
