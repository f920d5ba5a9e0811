import { fastify, type FastifyInstance } from 'fastify'
import type { Backend, FastifyChatOptions } from '../../src/index.ts'
import { answerCalls } from '../calls.ts'

/** socket: of a Redis; undefined for a store in memory. rooms: number of rooms in which the member has a read position. */
export interface RoomsListServer { readonly socket: string | undefined, readonly rooms: number }

/** The member whose rooms are listed. Each client is it. */
const MEMBER = { id: 'ada', name: 'ada' }

// Measures compiled code, as users run it.
const compiled = (file: string) => new URL(`../../dist/${file}`, import.meta.url).href

let app: FastifyInstance

answerCalls({
  /** Starts a chat. Posts as the member in each room, and then as the app. Resolves with the port. */
  async start ({ socket, rooms }: RoomsListServer): Promise<number> {
    const { default: fastifyChat } = await import(compiled('index.js')) as { default: typeof import('../../src/index.ts').default }
    const options: FastifyChatOptions = { authenticate: () => MEMBER, limits: { messageRate: Infinity } }
    app = fastify()
    await app.register(fastifyChat, { ...options, backend: await backendAt(socket) })
    const port = Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port)
    for (let i = 0; i < rooms; i++) {
      await app.chat.publish(`room-${i}`, { text: 'x'.repeat(64), from: MEMBER })
      await app.chat.publish(`room-${i}`, { text: 'x'.repeat(64) })
    }
    return port
  },
  usage: () => process.cpuUsage(),
  /** Counts the unread messages of all rooms so many times. Resolves with the ms of each count. */
  async unread (times: number): Promise<number[]> {
    const taken: number[] = []
    while (taken.length < times) {
      const begun = performance.now()
      await app.chat.unread(MEMBER.id)
      taken.push(performance.now() - begun)
    }
    return taken
  }
})

async function backendAt (socket: string | undefined): Promise<Backend | undefined> {
  if (socket === undefined) return undefined
  const { redis } = await import(compiled('drivers/redis/backend.js')) as typeof import('../../src/drivers/redis/backend.ts')
  return redis({ url: socket })
}
