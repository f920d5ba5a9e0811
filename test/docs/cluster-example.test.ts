import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { freePort } from '../support/free-port.ts'
import { redisServer, skip } from '../support/redis-server.ts'
import { open, type Client } from '../support/websocket-client.ts'
import { typescriptArguments } from '../support/typescript-arguments.ts'

/** The lines that the example logs, in order. */
interface Line { readonly pid: number, readonly msg: string }

async function cluster (t: Test) {
  const { socket } = await redisServer(t)
  // All workers must share one port, so it is chosen here.
  const port = await freePort()
  // Run without tap's environment and loader: they would collect coverage of code that another loader compiles.
  const env = { ...process.env, PORT: String(port), REDIS_URL: socket, WORKERS: '2', NODE_OPTIONS: '' }
  const child = spawn(process.execPath, [...typescriptArguments, 'examples/cluster.ts'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
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
    /** Resolves once the pattern was logged this often. Rejects when the example ends before. */
    async logged (msg: string, times: number): Promise<Line[]> {
      for (;;) {
        const found = lines.filter((line) => line.msg.startsWith(msg))
        if (found.length >= times) return found
        await Promise.race([once(child, 'lines'), ended.then(() => { throw new Error('the example ended') })])
      }
    }
  }
}

/** Resolves when the client receives this text. Other messages are skipped. */
async function heard ({ next }: Client, text: string): Promise<void> {
  while (await next() !== text);
}

let members = 0

/** Resolves when the client is in the room: when it receives its own message. */
async function member (t: Test, url: string): Promise<Client> {
  const client = await open(t, url)
  const text = `member ${++members}`
  client.socket.send(text)
  await heard(client, text)
  return client
}

t.test('the cluster is one chat on all workers, replaces a dead one, and stops on SIGTERM', { skip }, async (t) => {
  const { child, ended, lines, logged, url } = await cluster(t)
  const workers = (await logged('Server listening', 2)).map(({ pid }) => pid)
  t.equal(new Set(workers).size, 2)

  // The workers accept connections in turn.
  const clients = await Promise.all([1, 2, 3, 4].map(() => member(t, url)))
  const served = new Set((await logged('incoming request', 4)).map(({ pid }) => pid))
  t.same(served, new Set(workers), 'each worker serves some clients')
  for (const [i, { socket }] of clients.entries()) {
    socket.send(`${i}`)
    for (const client of clients) await heard(client, `${i}`)
  }

  process.kill(workers[0]!, 'SIGKILL')
  await Promise.race(clients.map(({ closed }) => closed))
  const replacement = (await logged('Server listening', 3))[2]!.pid
  const one = await member(t, url)
  const [other] = await Promise.all([member(t, url), logged('incoming request', 6)])
  t.ok(lines.some(({ pid, msg }) => pid === replacement && msg === 'incoming request'), 'the new worker serves clients too')
  other.socket.send('again')
  await heard(one, 'again')

  child.kill('SIGTERM')
  t.same(await ended, [0, null])
  for (const { closed } of [one, other]) t.match(await closed, { code: 1001 })
  for (const pid of [...workers, replacement]) t.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})
