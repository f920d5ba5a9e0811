import { Cluster, Command, Redis } from 'ioredis'
import t from 'tap'
import { redisClients } from '../support/redis-clients.contract.ts'
import { skip } from '../support/redis-server.ts'

t.test('store and roster work with the settings of any client, or log why not', { skip }, async (t) => {
  await redisClients(t, { Redis, Cluster, Command })
})
