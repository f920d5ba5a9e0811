import { Cluster, Command, Redis } from 'ioredis-5'
import t from 'tap'
import { redisClients, type Ioredis } from '../support/redis-clients.contract.ts'
import { skip } from '../support/redis-server.ts'

t.test('with ioredis 5.6, store and roster work with any client, or log why not', { skip }, async (t) => {
  await redisClients(t, { Redis, Cluster, Command } as unknown as Ioredis)
})
