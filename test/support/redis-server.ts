import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Cluster, Redis } from 'ioredis'
import type { Test } from 'tap'
import { directory } from './directory.ts'
import { eventually } from './eventually.ts'
import { executable } from './executable.ts'
import { freePort } from './free-port.ts'

const program = executable('redis-server')
const missing = 'redis-server is not installed (apt-get install redis-server)'

/** The reason why Redis tests are skipped; false if they run. In CI they must run. */
export const skip = program === undefined && process.env['CI'] !== 'true' && missing

/** A real redis-server, stopped with the test. */
export interface RedisServer {
  /** path of its Unix socket: a `url` for a store */
  readonly socket: string
  /** port on 127.0.0.1, if requested */
  readonly port: number | undefined
  readonly pid: number
  /** a client for changes that bypass the store */
  readonly client: Redis
  /** Kills the server with a signal and waits for its exit. */
  kill (signal?: NodeJS.Signals): Promise<void>
  /** Starts the server again, with its data if it was saved. */
  start (): Promise<void>
}

export interface ServerOptions {
  /** such as `['--appendonly', 'yes']` */
  readonly args?: readonly string[]
  /** also listens on a free loopback port */
  readonly tcp?: boolean
}

export async function redisServer (t: Test, { args = [], tcp = false }: ServerOptions = {}): Promise<RedisServer> {
  if (program === undefined) throw new Error(missing)
  const dir = directory(t)
  const socket = join(dir, 'socket')
  const port = tcp ? await freePort() : undefined
  const always = ['--port', String(port ?? 0), '--bind', '127.0.0.1', '--unixsocket', socket, '--dir', dir, '--save', '']
  let child: ChildProcess
  const server = {
    socket,
    port,
    get pid () { return child.pid! },
    client: new Redis(socket, { lazyConnect: true }),
    async kill (signal: NodeJS.Signals = 'SIGKILL') {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill(signal)
      await gone
    },
    async start () {
      child = spawn(program!, [...always, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
      await logs(child, 'eady to accept connections')
    }
  }
  server.client.on('error', () => {})
  await server.start()
  t.teardown(async () => {
    server.client.disconnect()
    await server.kill()
  })
  return server
}

/** Starts a Sentinel that monitors a server as `main`. Resolves with its port on 127.0.0.1. */
export async function redisSentinel (t: Test, { port: master }: RedisServer): Promise<number> {
  if (program === undefined) throw new Error(missing)
  const dir = directory(t)
  const port = await freePort()
  const configuration = join(dir, 'sentinel.conf')
  writeFileSync(configuration, `port ${port}\nbind 127.0.0.1\ndir ${dir}\nsentinel monitor main 127.0.0.1 ${master} 1\n`)
  const child = spawn(program, [configuration, '--sentinel'], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(async () => {
    const gone = once(child, 'exit')
    if (child.exitCode === null && child.kill()) await gone
  })
  await logs(child, '+monitor master')
  return port
}

/** Starts a Cluster of this many masters on the loopback. */
export async function redisCluster (t: Test, masters: number): Promise<Cluster> {
  const nodes: Array<{ server: RedisServer, bus: number }> = []
  for (let i = 0; i < masters; i++) {
    const bus = await freePort()
    nodes.push({ server: await redisServer(t, { tcp: true, args: ['--cluster-enabled', 'yes', '--cluster-port', String(bus)] }), bus })
  }
  const slots = (i: number) => Math.floor(16_384 * i / masters)
  for (const [i, { server: { client } }] of nodes.entries()) {
    await client.cluster('SET-CONFIG-EPOCH', i + 1)
    await client.cluster('ADDSLOTSRANGE', slots(i), slots(i + 1) - 1)
    for (const { server, bus } of nodes.slice(0, i)) await client.call('CLUSTER', 'MEET', '127.0.0.1', String(server.port), String(bus))
  }
  for (const { server: { client } } of nodes) await formed(client, masters)
  const cluster = new Cluster([{ host: '127.0.0.1', port: nodes[0]!.server.port! }])
  cluster.on('error', () => {})
  t.teardown(() => cluster.disconnect())
  return cluster
}

/** Resolves when a node knows its whole Cluster. */
async function formed (client: Redis, masters: number): Promise<void> {
  await eventually(async () => {
    const info = await client.cluster('INFO') as string
    return info.includes('cluster_state:ok') && info.includes(`cluster_size:${masters}`)
  })
}

/** Resolves when a server has logged a text. */
async function logs (child: ChildProcess, text: string): Promise<void> {
  let log = ''
  for await (const chunk of child.stdout!.setEncoding('utf8')) {
    log += chunk as string
    if (log.includes(text)) return
  }
  throw new Error(`redis-server did not start: ${log}`)
}
