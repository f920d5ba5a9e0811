import { fork } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { redisCluster, skip } from '../support/redis-server.ts'
import { typescriptArguments } from '../support/typescript-arguments.ts'

t.test('a process that closes a client of a Cluster during a refresh of the slots exits', { skip, timeout: 30_000 }, async (t) => {
  const cluster = await redisCluster(t, 3)
  await cluster.ping()
  const [node] = cluster.nodes('master')
  const child = fork(new URL('../support/fixtures/closed-cluster.ts', import.meta.url), [String(node!.options.port)], { execArgv: [...typescriptArguments] })
  t.teardown(() => child.kill('SIGKILL'))
  t.strictSame(await once(child, 'exit'), [0, null])
})
