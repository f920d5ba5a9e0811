import { equal } from '../assertions.ts'
import { requirement } from '../requirement.ts'

export const pings = [
  requirement('12', 'ping is answered with pong, even before hello', async (server) => {
    const client = await server.client()
    client.send({ type: 'ping', id: 'before' })
    equal((await client.receive('pong')).id, 'before', 'id of the pong')
    await client.hello(server.token())
    for (const id of ['1', '2', '3']) client.send({ type: 'ping', id })
    for (const id of ['1', '2', '3']) equal((await client.receive('pong')).id, id, 'id of the pong')
  }),

  requirement('12', 'a WebSocket ping is answered with its payload', async (server) => {
    const { channel } = await server.welcomedClient()
    equal(await channel.ping('payload'), 'payload', 'payload of the pong')
  })
]
