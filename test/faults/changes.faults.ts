import t, { type Test } from 'tap'
import { memory, type Backend } from '../../src/index.ts'
import { lmdb } from '../../src/drivers/lmdb/backend.ts'
import { redis } from '../../src/drivers/redis/backend.ts'
import { changesLoad, StoredEdits, type Tally } from '../support/changes-load.ts'
import { chat } from '../support/chat-app.ts'
import { directory } from '../support/directory.ts'
import { redisServer, skip } from '../support/redis-server.ts'

const history = { historyEntries: 100_000, historyBytes: 64 * 1024 ** 2 }

/** Returns the backend of each node. */
type Nodes = (t: Test) => Promise<readonly Backend[]>

const backends: ReadonlyArray<readonly [name: string, skip: boolean | string, nodes: Nodes]> = [
  ['memory', false, async () => [memory(history)]],
  ['LMDB', false, async (t) => [lmdb({ path: directory(t), ...history })]],
  ['Redis, 2 nodes', skip, async (t) => {
    const { socket } = await redisServer(t)
    return [redis({ url: socket, ...history }), redis({ url: socket, ...history })]
  }]
]

const tallies: Array<{ backend: string } & Tally> = []

for (const [backend, skip, nodes] of backends) {
  t.test(`members that are cut have what the store has: ${backend}`, { skip }, async (t) => {
    const edits = new StoredEdits()
    const apps = []
    for (const each of await nodes(t)) apps.push(await chat(t, { backend: each, onChange: edits.onChange }))
    const tally = await changesLoad(t, { ports: apps.map(({ port }) => port), edits, members: 8, requests: 1_000, random: Math.random })
    tallies.push({ backend, ...tally })
    const { lost, doubled, wrong } = tally
    t.strictSame({ lost, doubled, wrong }, { lost: 0, doubled: 0, wrong: 0 })
  })
}

t.teardown(() => {
  const names = ['backend', 'posts', 'edits', 'deletes', 'reactions', 'cuts', 'lost', 'doubled', 'wrong'] as const
  const rows = [names, names.map(() => '---'), ...tallies.map((tally) => names.map((name) => tally[name]))]
  for (const row of rows) console.log(`# | ${row.join(' | ')} |`)
})
