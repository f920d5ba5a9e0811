// Runs each attack at default limits for FAULT_SECONDS, by `npm run test:faults`. test/plugin/attacks.test.ts checks the
// same bounds with lower limits.
import t from 'tap'
import { directory } from '../support/directory.ts'
import { redisServer, skip } from '../support/redis-server.ts'
import { attacks } from './attacks.ts'
import { underAttack } from './under-attack.ts'

const seconds = Number(process.env['FAULT_SECONDS'] ?? 60)

/** MiB of the old space of a server in a container of 512 MiB. */
const HEAP = 512

/** ms: the longest delay that an attack may cause in another room */
const SLOWEST = 10_000

for (const [name, attack] of Object.entries(attacks)) {
  for (const backend of ['memory', 'lmdb', 'redis'] as const) {
    t.test(`${backend}: ${name}, ${seconds} s`, { skip: backend === 'redis' && skip, timeout: (seconds + 120) * 1_000 }, async (t) => {
      const config = backend === 'memory'
        ? {}
        : backend === 'lmdb'
          ? { data: directory(t) }
          : { redis: (await redisServer(t, { args: ['--maxmemory', '64mb', '--maxmemory-policy', 'noeviction'] })).socket }
      const end = performance.now() + seconds * 1_000
      const { posted, received, slowest, peak } = await underAttack(t, {
        config, heap: HEAP, attack, pace: 100, goesOn: () => performance.now() < end
      })
      t.comment(`${posted} posts of the witness, the slowest ${slowest} ms; the server's peak: ${peak.heap} MiB of heap, ${peak.rss} MiB resident`)
      t.equal(received, posted, 'no message is lost in another room')
      t.ok(slowest < SLOWEST, `the slowest post took ${slowest} ms`)
    })
  }
}
