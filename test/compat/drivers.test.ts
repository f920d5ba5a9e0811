import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { packBuild, ran } from '../support/packed.ts'
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
  import { lmdb } from 'fastify-chat/lmdb'
  import { redis } from 'fastify-chat/redis'
  import { connect } from 'fastify-chat/test'

  async function onDisk () {
    const backend = lmdb({ path: 'data' })
    const first = Fastify()
    await first.register(fastifyChat, { backend })
    await first.chat.publish('tea', { text: 'hello disk' })
    await first.close()
    const app = Fastify()
    await app.register(fastifyChat, { backend })
    const { entries } = await app.chat.history('tea')
    await app.close()
    return entries[0].text
  }

  async function node (client) {
    const app = Fastify()
    const registry = new Registry()
    await app.register(fastifyChat, { backend: redis({ client }), metrics: registry })
    return Object.assign(app, { registry })
  }

  async function received (client, type) {
    for (;;) {
      const message = JSON.parse(await client.next())
      if (message.type === type) return message
    }
  }

  async function inRedis () {
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

  console.log(JSON.stringify({ disk: await onDisk(), redis: await inRedis() }))
`

t.test(`everything works with ${floors.join(', ')}`, { skip }, async (t) => {
  const { folder, tarball } = await packBuild(t)
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
