import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { freePort, redisServer, skip } from '../support/redis-server.ts'
import { open, type Client } from '../support/helper.ts'

/** The lines that the example logs, as they come. */
interface Line { readonly pid: number, readonly msg: string }

async function cluster (t: Test) {
  const { socket } = await redisServer(t)
  // The workers share it, and none of them may choose it.
  const port = await freePort()
  // Started as a person would: without what would count its coverage, in code of another loader.
  const env = { ...process.env, PORT: String(port), REDIS_URL: socket, WORKERS: '2', NODE_OPTIONS: '' }
  const child = spawn(process.execPath, ['--import', 'tsx', 'examples/cluster.ts'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close') as Promise<[code: number | null]>
  t.teardown(async () => {
    child.kill('SIGTERM')
    await ended
  })
  const lines: Line[] = []
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop()!
    for (const line of parts) lines.push(JSON.parse(line) as Line)
    child.emit('lines')
  })
  return {
    child,
    ended,
    lines,
    url: `ws://127.0.0.1:${port}/chat`,
    /** Resolves when it was logged so often, or fails when the example ends without. */
    async logged (msg: string, times: number): Promise<Line[]> {
      for (;;) {
        const found = lines.filter((line) => line.msg.startsWith(msg))
        if (found.length >= times) return found
        await Promise.race([once(child, 'lines'), ended.then(() => { throw new Error('the example ended') })])
      }
    }
  }
}

/** Resolves when the client heard this; what it hears before is left out. */
async function heard ({ next }: Client, text: string): Promise<void> {
  while (await next() !== text);
}

let members = 0

/** Resolves when it is in the room: when it hears itself. */
async function member (t: Test, url: string): Promise<Client> {
  const client = await open(t, url)
  const text = `member ${++members}`
  client.socket.send(text)
  await heard(client, text)
  return client
}

t.test('the cluster: one conversation on all workers, one that dies is replaced, and SIGTERM ends all', { skip }, async (t) => {
  const { child, ended, lines, logged, url } = await cluster(t)
  const workers = (await logged('Server listening', 2)).map(({ pid }) => pid)
  t.equal(new Set(workers).size, 2)

  // The workers take connections in turn.
  const clients = await Promise.all([1, 2, 3, 4].map(() => member(t, url)))
  const served = new Set((await logged('incoming request', 4)).map(({ pid }) => pid))
  t.same(served, new Set(workers), 'each worker serves some of them')
  for (const [i, { socket }] of clients.entries()) {
    socket.send(`${i}`)
    for (const client of clients) await heard(client, `${i}`)
  }

  process.kill(workers[0]!, 'SIGKILL')
  await Promise.race(clients.map(({ closed }) => closed))
  const replacement = (await logged('Server listening', 3))[2]!.pid
  const one = await member(t, url)
  const [other] = await Promise.all([member(t, url), logged('incoming request', 6)])
  t.ok(lines.some(({ pid, msg }) => pid === replacement && msg === 'incoming request'), 'the new worker serves too')
  other.socket.send('again')
  await heard(one, 'again')

  child.kill('SIGTERM')
  t.same(await ended, [0, null])
  for (const { closed } of [one, other]) t.match(await closed, { code: 1001 })
  for (const pid of [...workers, replacement]) t.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})
