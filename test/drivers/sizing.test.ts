import { readFileSync } from 'node:fs'
import { mock } from 'node:test'
import t from 'tap'
import { RedisStore } from '../../src/drivers/redis/store/store.ts'
import { arithmetic, services, simulation, xorshift, type Sizes } from '../../bench/sizing.ts'
import { redisServer, skip } from '../support/redis-server.ts'
import { says } from '../../src/contract/store/entries.ts'

for (const [name, service] of Object.entries(services)) {
  t.test(`the arithmetic for ${name} agrees with the simulation`, async (t) => {
    const calculated = arithmetic(service)
    const tried = simulation(service, xorshift(1))
    for (const what of Object.keys(calculated) as Array<keyof Sizes>) {
      t.ok(Math.abs(tried[what] / calculated[what] - 1) < 0.02, `${what}: ${calculated[what]} calculated, ${tried[what]} simulated`)
    }
  })

  t.test(`docs/SCALING.md has the numbers of ${name}`, async (t) => {
    const document = readFileSync(new URL('../../docs/SCALING.md', import.meta.url), 'utf8')
    for (const [what, number] of Object.entries(arithmetic(service))) {
      t.match(document, Math.round(number).toLocaleString('en'), what)
    }
  })
}

t.test("docs/SCALING.md has a room's charge in Redis", { skip }, async (t) => {
  const document = readFileSync(new URL('../../docs/SCALING.md', import.meta.url), 'utf8')
  const server = await redisServer(t)
  // The store writes its index once a second: here, when all messages of a room are stored.
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const store = new RedisStore({ url: server.socket })
  t.teardown(() => store.close())
  const member = 'x'.repeat(22)
  const draft = (id: number) => says('x'.repeat(64), { from: { id: member, name: 'someone' }, key: `${member} ${`${id}`.padStart(21, '0')}`, hash: member })
  const charged = async (messages: number) => {
    const room = `room${messages}`
    await store.read(room, { limit: 1, maxBytes: 1 })
    await Promise.all(Array.from({ length: messages }, (_, i) => store.append(room, draft(i))))
    mock.timers.tick(1_000)
    for (;;) {
      const charge = await server.client.zscore('fastify-chat:{store}:bytes', room)
      if (charge !== null) return Number(charge)
    }
  }
  const [none, one, some, all] = [await charged(0), await charged(1), await charged(100), await charged(1_000)]
  t.match(document, `${(none / 1_000).toFixed(1)} KB with its place`)
  t.match(document, `${(one / 1_000).toFixed(1)} KB from its first message`)
  t.match(document, `${Math.round((all - some) / 9_000) * 10} bytes for each kept`)
  const { rooms } = services['a million members in a hundred thousand rooms']!
  t.match(document, `charged ${Math.round(all * rooms / 1e9)} GB`)
  t.match(document, `With \`historyEntries: 100\` it is ${(some * rooms / 1e9).toFixed(1)}`)
})
