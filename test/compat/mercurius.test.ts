import mercurius from 'mercurius'
import { WebSocket } from 'ws'
import { open } from '../support/websocket-client.ts'
import { besides, type Neighbour } from './neighbour.ts'

const server: Neighbour = {
  async add (app) {
    await app.register(mercurius, {
      schema: `
        type Query { now: Int }
        type Subscription { greeting: String }
      `,
      resolvers: {
        Query: { now: () => 1 },
        Subscription: {
          greeting: {
            subscribe: async function * () { yield { greeting: 'hello' } }
          }
        }
      },
      subscription: true
    })
  },
  async talk (t, port) {
    const { socket, next } = await open(t, `ws://127.0.0.1:${port}/graphql`, { protocol: 'graphql-transport-ws' })
    say(socket, { type: 'connection_init' })
    t.match(await next(), /"connection_ack"/)
    say(socket, { id: '1', type: 'subscribe', payload: { query: 'subscription { greeting }' } })
    t.match(await next(), /"greeting":"hello"/)
  }
}

function say (socket: WebSocket, message: object): void { socket.send(JSON.stringify(message)) }

besides('mercurius with subscription: true', server)
