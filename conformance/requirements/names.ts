import { equal, ok } from '../assertions.ts'
import type { Client } from '../client.ts'
import { invalidNames, validNames } from '../member-names.ts'
import { requirement } from '../requirement.ts'

/** Closes a connection, so that a limit of connections per address isn't reached. */
async function close (client: Client): Promise<void> {
  client.channel.socket.close(1000)
  await client.closed()
}

export const names = [
  requirement('16', 'a name is normalised', async (server) => {
    for (const [kind, name, normalised = name] of validNames) {
      const client = await server.welcomedClient({ name })
      equal(client.welcome.member.name, normalised, `${kind}: name for ${JSON.stringify(name)}`)
      await close(client)
    }
    equal((await server.welcomedClient()).welcome.member.name, '', 'name of a member without a name')
  }),

  requirement('16', 'an invalid name is answered with an error', async (server) => {
    for (const [reason, name] of invalidNames) {
      const client = await server.client()
      client.send({ type: 'hello', name, ...server.token() })
      const answer = await client.receiveOneOf('error', 'welcome')
      equal('code' in answer ? answer.code : answer.type, 'invalid', `answer to a name with the fault '${reason}'`)
      await close(client)
    }
  }),

  requirement('16', 'two members with the same name have different ids', async (server) => {
    const one = await server.welcomedClient({ name: 'ada' })
    const two = await server.welcomedClient({ name: 'ada' })
    ok(one.welcome.member.id !== two.welcome.member.id, 'both members have the same id')
  }),

  requirement('16', 'a room name consists of 1 to 64 letters, digits and ._:-', async (server) => {
    const client = await server.welcomedClient()
    const unique = server.room().slice(-16)
    for (const room of [`${unique}.Aa0_:-`, `${unique}${'x'.repeat(48)}`]) equal((await client.join(room)).room, room, 'room')
    for (const room of ['', 'a b', 'ä', 'a/b', '#a', 'x'.repeat(65)]) {
      client.send({ type: 'join', room })
      await client.receiveError('invalid')
    }
  }),

  requirement('16', 'room names are case-sensitive', async (server) => {
    const room = server.room()
    const client = await server.joinedClient(room)
    await client.post(room, 'lower')
    equal((await client.join(room.toUpperCase())).messages, [], 'messages')
  })
]
