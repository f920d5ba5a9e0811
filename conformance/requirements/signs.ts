import { requirement, same } from '../requirement.ts'

export const signs = [
  requirement('12', 'ping is answered with pong, before hello too', async (server) => {
    const client = await server.client()
    client.say({ type: 'ping', id: 'before' })
    same((await client.hear('pong')).id, 'before', 'the id')
    await client.hello(server.token())
    for (const id of ['1', '2', '3']) client.say({ type: 'ping', id })
    for (const id of ['1', '2', '3']) same((await client.hear('pong')).id, id, 'the id')
  }),

  requirement('12', 'a WebSocket ping is answered with its payload', async (server) => {
    const { channel } = await server.enter()
    same(await channel.ping('are you there?'), 'are you there?', 'the payload')
  })
]
