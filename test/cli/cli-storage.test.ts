import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fastify } from 'fastify'
import t, { type Test } from 'tap'
import { directoryBackend, redisBackend } from '../../src/cli/storage.ts'
import type { ClientRoom } from '../../src/client/node.ts'
import { chatClient, nextEvent, next } from '../support/chat-client.ts'
import { command } from '../support/compiled.ts'
import { directory } from '../support/directory.ts'
import { proxy, type Proxy } from '../support/proxy.ts'
import { redisServer, skip } from '../support/redis-server.ts'

const openDirectory = async (path: string) => await directoryBackend(path).open(fastify())
const openRedis = async (url: string) => await redisBackend(url).open(fastify())

function serve (t: Test, ...storage: string[]): ChildProcess {
  const [node, ...main] = command
  const child = spawn(node, [...main, 'serve', '--port', '0', '--log-level', 'info', ...storage], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

async function portOf (child: ChildProcess): Promise<number> {
  let log = ''
  for await (const chunk of child.stdout!.iterator({ destroyOnReturn: false })) {
    log += String(chunk)
    const [, port] = /listening at http:\/\/127\.0\.0\.1:(\d+)/.exec(log) ?? []
    if (port === undefined) continue
    child.stdout!.resume()
    return Number(port)
  }
  throw new Error(log)
}

// These tests mostly wait: for a paced client, or for a server that never answers.
t.jobs = 3

/** Joins the lobby and collects all texts that the client receives. */
async function listener (t: Test, port: number): Promise<{ room: ClientRoom, texts: string[], lose: () => Promise<unknown> }> {
  const client = chatClient(t, port)
  const room = await client.join('lobby')
  const texts: string[] = []
  room.on('joined', ({ again, complete, messages }) => {
    t.ok(complete, 'no message is missing')
    if (again) for (const { text = '' } of messages) texts.push(text)
  })
  room.on('message', ({ text = '' }) => texts.push(text))
  return { room, texts, lose: () => next(client, 'waiting') }
}

/**
 * Posts with three clients through a proxy, kills the server behind it, and goes on with its successor.
 * @param others listeners on another server
 */
async function kill (t: Test, network: Proxy, { server, successor, others = [] }: {
  server: ChildProcess, successor: () => Promise<number>, others?: Array<Awaited<ReturnType<typeof listener>>>
}): Promise<void> {
  const clients = await Promise.all([0, 1, 2].map(() => listener(t, network.port)))
  const acked: string[] = []
  let count = 0
  const killed = new AbortController()
  const posting = clients.flatMap(({ room }, place) => Array.from({ length: 10 }, async () => {
    while (!killed.signal.aborted) {
      const said = `${place} ${++count}`
      await room.post(said)
      acked.push(said)
    }
  }))
  while (acked.length < 70) await nextEvent(clients[0]!.room, 'message')
  const away = Promise.all(clients.map(({ lose }) => lose()))
  network.target = undefined
  server.kill('SIGKILL')
  killed.abort()
  await Promise.all([away, once(server, 'close')])
  const back = Promise.all(clients.map(({ room }) => nextEvent(room, 'joined', ({ again }) => again)))
  network.target = await successor()
  await Promise.all([back, ...posting])

  const all = [...clients, ...others]
  const end = Promise.all(all.map(({ room }) => nextEvent(room, 'message', ({ text }) => text === 'end')))
  await clients[0]!.room.post('end')
  await end
  const { texts } = clients[0]!
  for (const other of all) t.strictSame(other.texts, texts, 'all received the same, in one order')
  t.equal(new Set(texts).size, texts.length, 'no duplicate')
  t.strictSame(acked.filter((said) => !texts.includes(said)), [], 'every acknowledged message was received')
}

t.test('serve --data: after a kill and restart every client resumes with no message missing', async (t) => {
  const data = join(directory(t), 'new', 'data')
  let server = serve(t, '--data', data)
  const network = await proxy(t, await portOf(server))
  await kill(t, network, {
    server,
    successor: async () => {
      server = serve(t, '--data', data)
      return await portOf(server)
    }
  })
  server.kill('SIGTERM')
  t.strictSame(await once(server, 'close'), [0, null])
})

t.test('serve --redis: two servers are one chat, and one continues after the other is killed', { skip }, async (t) => {
  const redis = await redisServer(t, { args: ['--requirepass', 'secret'] })
  const url = `${redis.socket}?password=secret`
  const [first, second] = [serve(t, '--redis', url), serve(t, '--redis', url)]
  const said = text(second.stderr!)
  const [one, other] = await Promise.all([portOf(first), portOf(second)])
  const elsewhere = await listener(t, other)
  await kill(t, await proxy(t, one), { server: first, successor: async () => other, others: [elsewhere] })
  t.equal(elsewhere.room.count, 4, 'three of the members are on the other server')
  second.kill('SIGTERM')
  t.strictSame(await once(second, 'close'), [0, null])
  t.equal(await said, '')
})

t.test('unusable storage prints one line and exits with code 1', async (t) => {
  const data = directory(t)
  const storage = await openDirectory(data)
  await Promise.all([
    ['--data', data, `the store in '${data}' is in use by process ${process.pid} on '${hostname().slice(0, 20)}'\n`],
    ['--redis', '/no/such%20socket?password=secret', "can't use the Redis at /no/such%20socket: connect ENOENT /no/such%20socket\n"]
  ].map(async ([option = '', value = '', reason = '']) => {
    const refused = serve(t, option, value)
    const [said, [code]] = await Promise.all([text(refused.stderr!), once(refused, 'close')])
    t.equal(said, reason)
    t.equal(code, 1)
  }))
  await storage.close()
})

t.test('an unusable directory is rejected with the reason', async (t) => {
  const damaged = directory(t)
  writeFileSync(join(damaged, 'data.mdb'), 'hello')
  await t.rejects(openDirectory(damaged), { message: `the store in '${damaged}' is damaged: it ends after 5 bytes` })
  await t.rejects(openDirectory(join(damaged, 'data.mdb')), { message: /^the store in '.*data.mdb' can't be opened: EEXIST: file already exists, mkdir '[^']*'$/ })
})

t.test('an unusable Redis is rejected with the reason, without the password', { skip }, async (t) => {
  const redis = await redisServer(t, { tcp: true, args: ['--user', 'ada', 'on', '>secret', '~*', '&*', '+@all'] })
  const at = `127.0.0.1:${redis.port}`
  const refusals: Array<[url: string, reason: string | RegExp]> = [
    [`redis://ada:wrong@${at}`, `can't use the Redis at redis://${at}: WRONGPASS invalid username-password pair or user is disabled.`],
    [`redis://ada:secret@${at}/16`, `can't use the Redis at redis://${at}/16: ERR DB index is out of range`]
  ]
  for (const [url, message] of refusals) await t.rejects(openRedis(url), { message })

  await redis.client.config('SET', 'maxmemory', '1')
  await t.rejects(openRedis(`redis://ada:secret@${at}`), { message: /^can't use the Redis .*: the store is not available: OOM / })

  process.kill(redis.pid, 'SIGSTOP')
  await t.rejects(openRedis(`redis://ada:secret@${at}`), { message: `can't use the Redis at redis://${at}: no answer within 5 s` })
  await redis.kill()
  await t.rejects(openRedis(`redis://ada:secret@${at}`), { message: `can't use the Redis at redis://${at}: connect ECONNREFUSED ${at}` })
})
