import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { pack, ran } from '../support/packed.ts'
import { redisServer, skip } from '../support/redis-server.ts'

// It installs from a registry.
t.setTimeout(300_000)

// `npm test` runs on the newest ones.
const floors = ['fastify@5.0.0', 'ioredis@5.6.0', 'lmdb@3.2.0', 'prom-client@15.0.0']

const script = `
  import Fastify from 'fastify'
  import { Redis } from 'ioredis'
  import { Registry } from 'prom-client'
  import fastifyChat from 'fastify-chat'
  import { LmdbStore } from 'fastify-chat/lmdb'
  import { RedisRoster, RedisStore } from 'fastify-chat/redis'
  import { connect } from 'fastify-chat/test'

  async function lmdb () {
    const first = new LmdbStore({ path: 'data' })
    await first.append('tea', { from: null, body: 'hello disk' })
    await first.close()
    const store = new LmdbStore({ path: 'data' })
    const app = Fastify()
    await app.register(fastifyChat, { store })
    const { entries } = await app.chat.history('tea')
    await app.close()
    await store.close()
    return entries[0].body
  }

  async function node (redis) {
    const app = Fastify()
    const [store, roster] = [new RedisStore({ client: redis }), new RedisRoster({ client: redis })]
    const registry = new Registry()
    await app.register(fastifyChat, { store, roster, metrics: registry })
    app.addHook('onClose', async () => { await Promise.all([store.close(), roster.close()]) })
    return Object.assign(app, { registry })
  }

  async function received (client, type) {
    for (;;) {
      const message = JSON.parse(await client.next())
      if (message.type === type) return message
    }
  }

  async function redis () {
    const client = new Redis(process.argv[2])
    const [one, two] = [await node(client), await node(client)]
    const ada = await connect(one, '/chat?name=ada')
    const bob = await connect(two, '/chat', { protocol: 'fastify-chat.v1' })
    bob.send('{"type":"hello"}')
    const { member } = JSON.parse(await bob.next())
    bob.send('{"type":"join","room":"lobby"}')
    await received(bob, 'joined')
    ada.send('hello redis')
    const { text } = await received(bob, 'message')
    await one.chat.kick(member.id, { reason: 'enough' })
    const { code } = await bob.closed
    const measured = /^fastify_chat_connections\\S* 1$/m.test(await one.registry.metrics())
    await Promise.all([one.close(), two.close()])
    client.disconnect()
    return { text, code, measured }
  }

  console.log(JSON.stringify({ disk: await lmdb(), redis: await redis() }))
`

t.test(`everything works with ${floors.join(', ')}`, { skip }, async (t) => {
  const { folder, tarball } = await pack(t)
  const { socket } = await redisServer(t)
  const app = join(folder, 'app')
  await mkdir(app)
  await writeFile(join(app, 'package.json'), '{ "private": true, "type": "module" }')
  await writeFile(join(app, 'app.js'), script)
  await ran(app, 'npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', tarball, ...floors])
  t.strictSame(JSON.parse(await ran(app, process.execPath, ['app.js', socket])), {
    disk: 'hello disk',
    redis: { text: 'hello redis', code: 4403, measured: true }
  })
})
