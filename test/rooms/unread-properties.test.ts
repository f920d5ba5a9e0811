import fc from 'fast-check'
import t, { type Test } from 'tap'
import { memory, type Backend } from '../../src/index.ts'
import { lmdb } from '../../src/drivers/lmdb/backend.ts'
import { redis } from '../../src/drivers/redis/backend.ts'
import { directory } from '../support/directory.ts'
import { full } from '../support/full.ts'
import { redisServer, skip } from '../support/redis-server.ts'
import { KEPT, runUnread, unreadSteps } from '../support/unread-load.ts'
import { UnreadNodes } from '../support/unread-nodes.ts'

const runs = Number(process.env['UNREAD_RUNS'] ?? full(12, 4))
const history = { historyEntries: KEPT }

/** Returns the backend of each node. */
type Nodes = (t: Test) => Promise<readonly Backend[]>

const backends: ReadonlyArray<readonly [name: string, skip: boolean | string, isOneProcess: boolean, nodes: Nodes]> = [
  ['memory', false, false, async () => {
    const shared = memory(history)
    return [shared, shared]
  }],
  ['LMDB', false, true, async (t) => {
    const shared = lmdb({ path: directory(t), ...history })
    return [shared, shared]
  }],
  ['Redis', skip, false, async (t) => {
    const { socket } = await redisServer(t)
    return [redis({ url: socket, ...history }), redis({ url: socket, ...history })]
  }]
]

for (const [name, skip, isOneProcess, start] of backends) {
  t.test(`unread counts match the kept messages after random calls of devices and nodes: ${name}`, { skip }, async (t) => {
    const nodes = await UnreadNodes.start(t, await start(t), isOneProcess)
    await fc.assert(fc.asyncProperty(unreadSteps, async (steps) => { await runUnread(nodes, steps) }), { numRuns: runs })
    t.comment(JSON.stringify(nodes.tally))
  })
}
