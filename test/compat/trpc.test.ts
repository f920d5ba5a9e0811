import { initTRPC } from '@trpc/server'
import { fastifyTRPCPlugin } from '@trpc/server/adapters/fastify'
import fastifyWebsocket from '@fastify/websocket'
import { open } from '../support/websocket-client.ts'
import { besides, type Neighbour } from './neighbour.ts'

const { router: makeRouter, procedure } = initTRPC.create()
const router = makeRouter({ greeting: procedure.query(() => 'hello') })

/** Its adapter needs the app's own @fastify/websocket, registered first. */
const server: Neighbour = {
  async add (app) {
    await app.register(fastifyWebsocket)
    await app.register(fastifyTRPCPlugin, { prefix: '/trpc', useWSS: true, trpcOptions: { router } })
  },
  async talk (t, port) {
    const { socket, next } = await open(t, `ws://127.0.0.1:${port}/trpc`)
    socket.send(JSON.stringify({ id: 1, jsonrpc: '2.0', method: 'query', params: { path: 'greeting' } }))
    t.match(JSON.parse(String(await next())), { id: 1, result: { data: 'hello' } })
  }
}

besides('the Fastify adapter of tRPC with useWSS: true', server)
