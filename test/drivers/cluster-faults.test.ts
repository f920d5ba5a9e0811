import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { Participant, chatNode, until, type ChatNode } from '../support/chat-cluster.ts'
import { eventually } from '../support/eventually.ts'
import { full } from '../support/full.ts'
import { proxy, type Proxy } from '../support/proxy.ts'
import { redisServer, skip, type RedisServer } from '../support/redis-server.ts'
import { protocol, V1Client } from '../support/v1-client.ts'
import { judge } from '../support/verdict.ts'
import { open } from '../support/websocket-client.ts'

/** Posts that a node may have in flight to Redis. */
const IN_FLIGHT = 100

/** Number of runs of each fault. More runs find more. */
const runs = Number(process.env['FAULT_RUNS'] ?? 1)

interface Cluster {
  readonly server: RedisServer
  /** The last node reaches Redis through `network`. */
  readonly nodes: ChatNode[]
  readonly network: Proxy
}

/** A running conversation in which a fault is made. All participants go on posting. */
interface Conversation extends Cluster {
  readonly t: Test
  readonly room: string
  /** As many on each node, until a fault moves them. */
  readonly participants: readonly Participant[]
}

interface Fault {
  readonly make: (conversation: Conversation) => Promise<void>
  /** Redis loses data: every participant must receive complete: false, and acknowledged messages may be gone. */
  readonly loses?: boolean
  /** No participant loses its connection. */
  readonly keepsConnections?: boolean
}

/** Resolves when each participant has had this many more posts acknowledged. */
async function progress (participants: readonly Participant[], posts = 20): Promise<void> {
  const goals = participants.map(({ acked }) => acked.size + posts)
  await until(() => participants.every(({ acked }, i) => acked.size >= goals[i]!))
}

/** Resolves when each participant has had a post refused with `unavailable` or `unknown`. */
async function refused (participants: readonly Participant[]): Promise<void> {
  const before = participants.map(({ refusals }) => refusals.length)
  await until(() => participants.every(({ refusals }, i) => refusals.slice(before[i]).some((code) => code === 'unavailable' || code === 'unknown')))
}

/** Resolves when all nodes show this many members in the room, and none is stale. */
async function present (nodes: readonly ChatNode[], room: string, expected: number): Promise<void> {
  await until(() => nodes.every(({ presences }) => presences.get(room)?.count === expected && !presences.get(room)!.stale))
}

async function stale (nodes: readonly ChatNode[], room: string): Promise<void> {
  await until(() => nodes.every(({ presences }) => presences.get(room)?.stale))
}

/** Opens a port that accepts connections and never sends anything. */
async function blackHole (t: Test): Promise<number> {
  const listener = createServer((socket) => {
    socket.on('error', () => {})
    t.teardown(() => socket.destroy())
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  t.teardown(() => listener.close())
  return (listener.address() as AddressInfo).port
}

const faults: Record<string, Fault> = {
  'a node is killed': {
    async make ({ t, room, server, nodes, participants }) {
      const dead = nodes[0]!
      const lost = await Participant.join(t, { name: 'lost', room, port: () => dead.port })
      await present(nodes, room, participants.length + 1)
      await dead.kill()
      nodes.shift()
      await progress(participants)
      await present(nodes, room, participants.length)
      lost.client.close()
      const next = await chatNode(t.parent as Test, server.socket, IN_FLIGHT)
      nodes.unshift(next)
      next.watch(room)
    }
  },
  'Redis is stopped until posts time out': {
    keepsConnections: true,
    async make ({ server, nodes, room, participants }) {
      process.kill(server.pid, 'SIGSTOP')
      await Promise.all([stale(nodes, room), refused(participants)])
      await refused(participants)
      process.kill(server.pid, 'SIGCONT')
    }
  },
  'Redis is killed and restarted on its append-only file': {
    keepsConnections: true,
    async make ({ server, nodes, room, participants }) {
      await server.kill()
      await Promise.all([stale(nodes, room), refused(participants)])
      await server.start()
    }
  },
  'Redis is flushed': {
    keepsConnections: true,
    loses: true,
    async make ({ server, participants }) {
      await server.client.flushall()
      await until(() => participants.every(({ views }) => views.length > 1))
    }
  },
  'Redis is out of memory': {
    keepsConnections: true,
    async make ({ server, participants }) {
      const [, used] = /^used_memory:(\d+)/m.exec(await server.client.info('memory'))!
      await server.client.config('SET', 'maxmemory', Number(used) + 200_000)
      await refused(participants)
      await server.client.config('SET', 'maxmemory', 0)
    }
  },
  'the network between a node and Redis drops everything': {
    keepsConnections: true,
    async make ({ t, server, nodes, room, network, participants }) {
      network.target = await blackHole(t)
      network.freeze()
      const cut = participants.filter((_, i) => i % nodes.length === nodes.length - 1)
      const others = participants.filter((participant) => !cut.includes(participant))
      await Promise.all([progress(others), refused(cut), stale(nodes.slice(-1), room)])
      await present(nodes.slice(0, -1), room, others.length)
      network.target = server.socket
    }
  },
  'a client moves from node to node': {
    async make ({ participants }) {
      const mover = participants[0]!
      const breaks = mover.breaks.length
      for (let moves = 1; moves <= 20; moves++) {
        const seen = mover.view.length
        await until(() => mover.view.length > seen + 20)
        mover.drop()
        await until(() => mover.breaks.length >= breaks + moves)
      }
    }
  },
  "the nodes' subscriptions are killed": {
    keepsConnections: true,
    async make ({ server, participants }) {
      for (let times = 0; times < full(10, 3); times++) {
        await server.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
        await progress(participants, 5)
      }
    }
  }
}

/** One fault of a node, one of Redis, and one of the network. */
const FEW = ['a node is killed', 'Redis is killed and restarted on its append-only file', "the nodes' subscriptions are killed"]

t.test('three nodes and one Redis', { skip, timeout: 0 }, async (t) => {
  const server = await redisServer(t, { args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
  const network = await proxy(t, server.socket)
  const urls = [server.socket, server.socket, `redis://127.0.0.1:${network.port}`]
  const nodes = await Promise.all(urls.map((url) => chatNode(t, url, IN_FLIGHT)))

  for (let run = 1; run <= runs; run++) {
    for (const [i, title] of full(Object.keys(faults), FEW).entries()) {
      const { make, loses = false, keepsConnections = false } = faults[title]!
      await t.test(`${title}: every acknowledged message arrives once, in one order, at all members`, async (t) => {
        const room = `${run}.${i}`
        const participants = await Promise.all(Array.from({ length: full(6, 3) }, (_, i) => {
          let next = i
          return Participant.join(t, { name: `p${i}`, room, port: () => nodes[next++ % nodes.length]!.port })
        }))
        for (const node of nodes) node.watch(room)
        await present(nodes, room, participants.length)

        const posting = participants.map((participant) => participant.post())
        await progress(participants)
        const breaks = participants.map(({ breaks }) => breaks.length)
        await make({ t, room, server, nodes, network, participants })
        await progress(participants)
        for (const participant of participants) participant.stop()
        await Promise.all(posting)
        await participants[0]!.say('end')
        await until(() => participants.every(({ view }) => view.at(-1)?.text === 'end'))

        const { posted, acked, ...wrong } = await judge(server.client, room, participants)
        t.comment(JSON.stringify({ fault: title, posted, acked, ...wrong }))
        if (loses) {
          t.match(wrong, { lost: 0, doubled: 0, disordered: 0, incomplete: participants.length })
        } else {
          t.strictSame(wrong, { lost: 0, forgotten: 0, doubled: 0, disordered: 0, incomplete: 0 })
          t.equal(acked, posted, 'every post with an unknown outcome was settled')
        }
        if (keepsConnections) t.strictSame(participants.flatMap((participant, i) => participant.breaks.slice(breaks[i])), [], 'no participant lost its connection')
        await present(nodes, room, participants.length)
      })
    }
  }

  await t.test('while Redis is stopped, posts are refused in time, and retries store each of them once', async (t) => {
    const room = 'flooded'
    const member = new V1Client(await open(t, `ws://127.0.0.1:${nodes[0]!.port}/chat`, { protocol }))
    await member.hello()
    let position: string | undefined
    // The answer of Redis may still be delayed by the last fault.
    await eventually(async () => {
      member.say({ type: 'join', room })
      const message = await member.next()
      if (message.type === 'joined') ({ position } = message)
      else t.match(message, { type: 'error', code: 'unavailable' })
      return position !== undefined
    })
    const answers = async (ids: string[], more = {}) => {
      for (const id of ids) member.say({ type: 'post', room, id, text: id, ...more })
      const answers: Array<{ id?: string, code?: string }> = []
      while (answers.length < ids.length) {
        const message = await member.next()
        if (message.type === 'ack' || message.type === 'error') answers.push(message)
      }
      return answers
    }

    process.kill(server.pid, 'SIGSTOP')
    const ids = Array.from({ length: full(2_000, 500) }, (_, i) => `${i}`)
    const first = await answers(ids)
    const codes = first.map(({ code }) => code)
    process.kill(server.pid, 'SIGCONT')
    const unknown = codes.filter((code) => code === 'unknown').length
    t.ok(unknown > 0 && unknown <= IN_FLIGHT, 'no more than the in-flight limit')
    t.equal(codes.filter((code) => code === 'unavailable').length, ids.length - unknown)

    let left = ids
    await eventually(async () => {
      const again = left.slice(0, IN_FLIGHT / 2)
      const stored = new Set((await answers(again, { since: position })).filter(({ code }) => code === undefined).map(({ id }) => id))
      left = left.filter((id) => !stored.has(id))
      return left.length === 0
    })
    t.equal(await server.client.xlen(`fastify-chat:{${room}}:log`), ids.length, 'each is stored once')
  })
})
