import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import { ChatClient, type ClientSocket } from '../../src/client/node.ts'
import type { Target } from './attacker.ts'
import type { Attack } from './attacks.ts'
import type { Memory, ServerConfig } from './server.ts'
import { typescriptArguments } from '../support/typescript-arguments.ts'

const MiB = 1024 * 1024

/** The witness uses a new room after this many posts. */
const FRESH = 5

/** Paces in ms: between two posts of the witness, and between two readings of the server's memory. */
const [POST, LOOK] = [200, 500]

export interface Siege {
  readonly config: ServerConfig
  /** MiB of the server's old space */
  readonly heap: number
  readonly attack: Attack
  readonly pace: number
  readonly goesOn: Target['goesOn']
}

export interface Outcome {
  /** posts of the witness, and how many of them the other witness received */
  readonly posted: number
  readonly received: number
  /** longest time, in ms, until a post, or a new room and a post in it, was acknowledged */
  readonly slowest: number
  /** the server's peak memory, in MiB */
  readonly peak: { readonly heap: number, readonly rss: number }
}

/**
 * Attacks a server process while two clients talk in another room. Rejects when the process ends or one of their posts
 * is refused.
 */
export async function underAttack (t: Test, { config, heap, attack, pace, goesOn }: Siege): Promise<Outcome> {
  const server = fork(new URL('server.ts', import.meta.url), [JSON.stringify(config)], {
    execArgv: [...typescriptArguments, `--max-old-space-size=${heap}`]
  })
  const exit = once(server, 'exit')
  t.teardown(async () => {
    server.kill('SIGKILL')
    await exit
  })
  const ended = exit.then(([code, signal]) => { throw new Error(`the server ended: ${code} ${signal}`) })
  ended.catch(() => { /* raced below */ })
  const [{ port }] = await Promise.race([once(server, 'message'), ended]) as [{ port: number }]

  const [speaker, listener] = [witness(t, port), witness(t, port)]
  const [said, heard] = [await speaker.join('witness'), await listener.join('witness')]
  const received = new Set<string>()
  heard.on('joined', ({ messages }) => { for (const { text } of messages) received.add(text!) })
  heard.on('message', ({ text }) => received.add(text!))

  const peak = { heap: 0, rss: 0 }
  server.on('message', ({ heap, external, rss }: Memory) => {
    peak.heap = Math.max(peak.heap, (heap + external) / MiB)
    peak.rss = Math.max(peak.rss, rss / MiB)
  })
  const looks = setInterval(() => { if (server.connected) server.send('memory') }, LOOK)
  let posted = 0
  let slowest = 0
  const over = new AbortController()
  const testify = async () => {
    do {
      const begun = performance.now()
      await said.post(`post ${posted}`)
      posted++
      if (posted % FRESH === 0) {
        const room = await speaker.join(`fresh.${posted}`)
        await room.post('still here')
        await room.leave()
      }
      slowest = Math.max(slowest, performance.now() - begun)
      await sleep(POST)
    } while (!over.signal.aborted)
  }
  try {
    const attacking = attack({ port, pace, goesOn }).finally(() => over.abort())
    await Promise.race([Promise.all([attacking, testify()]), ended])
    await Promise.race([receivedAll(), ended])
  } finally {
    clearInterval(looks)
  }
  return { posted, received: received.size, slowest: Math.round(slowest), peak: { heap: Math.round(peak.heap), rss: Math.round(peak.rss) } }

  async function receivedAll (): Promise<void> {
    while (received.size < posted) await once(server, 'message')
  }
}

/** Connects from an address of its own, because the limits of an address apply. */
function witness (t: Test, port: number): ChatClient {
  const client = new ChatClient(`ws://127.0.0.1:${port}/chat`, {
    connect: (url, protocol) => new WebSocket(url, protocol, { localAddress: '127.0.0.2' }) as unknown as ClientSocket
  })
  t.teardown(() => client.close())
  return client
}
