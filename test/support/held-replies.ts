import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import { directory } from './directory.ts'
import type { RedisServer } from './redis-server.ts'
import { tick } from './tick.ts'

/** A proxy in front of a Redis that can hold its replies. It counts round trips without a clock. */
export interface HeldReplies {
  /** path of the Unix socket of the proxy */
  readonly socket: string
  /**
   * Holds all replies. Releases them together when no more arrive, until the work is done. Resolves with the number of
   * releases: the round trips that the work waits for one after another.
   * @param before called before each release
   */
  roundTrips (work: Promise<unknown>, before?: () => Promise<unknown>): Promise<number>
}

export async function heldReplies (t: Test, { socket: target, client }: RedisServer): Promise<HeldReplies> {
  const socket = join(directory(t), 'socket')
  const sockets = new Set<Socket>()
  const held: Array<() => void> = []
  let holds = false
  let chunks = 0
  const server = createServer((near) => {
    const far = connect(target)
    for (const [one, other] of [[near, far], [far, near]] as const) {
      sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => other.destroy())
    }
    near.on('data', (chunk) => {
      chunks++
      far.write(chunk)
    })
    far.on('data', (chunk) => {
      chunks++
      if (holds) held.push(() => near.write(chunk))
      else near.write(chunk)
    })
  })
  await once(server.listen(socket), 'listening')
  t.teardown(() => {
    server.close()
    for (const each of sockets) each.destroy()
  })
  return {
    socket,
    async roundTrips (work, before = async () => {}) {
      const state = { isDone: false }
      const done = () => { state.isDone = true }
      work.then(done, done)
      holds = true
      for (let count = 0; ; count++) {
        do await quiet(client, () => chunks)
        while (!state.isDone && held.length === 0)
        if (!state.isDone) await before()
        holds = !state.isDone
        for (const release of held.splice(0)) release()
        if (state.isDone) return count
      }
    }
  }
}

/** Resolves when Redis has answered what it received, and nothing more was sent meanwhile. */
async function quiet (client: Redis, chunks: () => number): Promise<void> {
  for (let before = -1; before !== chunks();) {
    before = chunks()
    for (let i = 0; i < 3; i++) {
      await client.ping()
      await tick()
    }
  }
}
