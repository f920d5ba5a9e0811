import { equal, ok } from '../assertions.ts'
import { requirement } from '../requirement.ts'

export const names = [
  requirement('16', 'a name is normalised', async (server) => {
    const normalizedNames = new Map([
      ['ada', 'ada'],
      ['  ada   lovelace ', 'ada lovelace'],
      ['ﬁona', 'fiona'],
      ['e\u0301mile', '\u00e9mile'],
      ['張三', '張三'],
      ['x'.repeat(32), 'x'.repeat(32)],
      ['🦊'.repeat(32), '🦊'.repeat(32)],
      ['', '']
    ])
    for (const [name, normalised] of normalizedNames) equal((await server.welcomedClient({ name })).welcome.member.name, normalised, `name for ${JSON.stringify(name)}`)
    equal((await server.welcomedClient()).welcome.member.name, '', 'name of a member without a name')
  }),

  requirement('16', 'an invalid name is answered with an error', async (server) => {
    for (const name of [' ', 'x'.repeat(33), 'a\nb', 'a\u0000b', 'a\u202eb', 'a\u200bb', 'a\u2028b', 'a\u3164b', '\ue000', 'x'.repeat(129)]) {
      const client = await server.client()
      client.send({ type: 'hello', name, ...server.token() })
      await client.receiveError('invalid')
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
