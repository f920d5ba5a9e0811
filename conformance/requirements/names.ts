import { holds, requirement, same } from '../requirement.ts'

export const names = [
  requirement('16', 'a name is shown normalised', async (server) => {
    const shown = new Map([
      ['ada', 'ada'],
      ['  ada   lovelace ', 'ada lovelace'],
      ['ﬁona', 'fiona'],
      ['e\u0301mile', '\u00e9mile'],
      ['張三', '張三'],
      ['x'.repeat(32), 'x'.repeat(32)],
      ['🦊'.repeat(32), '🦊'.repeat(32)],
      ['', '']
    ])
    for (const [name, wanted] of shown) same((await server.enter({ name })).welcome.member.name, wanted, `the name for ${JSON.stringify(name)}`)
    same((await server.enter()).welcome.member.name, '', 'the name of who gives none')
  }),

  requirement('16', 'a name that can not be shown is an error', async (server) => {
    for (const name of [' ', 'x'.repeat(33), 'a\nb', 'a\u0000b', 'a\u202eb', 'a\u200bb', 'a\u2028b', 'a\u3164b', '\ue000', 'x'.repeat(129)]) {
      const client = await server.client()
      client.say({ type: 'hello', name, ...server.token() })
      await client.hearError('invalid')
    }
  }),

  requirement('16', 'two members may have one name, and differ in id', async (server) => {
    const one = await server.enter({ name: 'ada' })
    const two = await server.enter({ name: 'ada' })
    holds(one.welcome.member.id !== two.welcome.member.id, 'they have one id')
  }),

  requirement('16', 'rooms are named by letters, digits and ._:-', async (server) => {
    const client = await server.enter()
    const unique = server.room().slice(-16)
    for (const room of [`${unique}.Aa0_:-`, `${unique}${'x'.repeat(48)}`]) same((await client.join(room)).room, room, 'the room')
    for (const room of ['', 'a b', 'ä', 'a/b', '#a', 'x'.repeat(65)]) {
      client.say({ type: 'join', room })
      await client.hearError('invalid')
    }
  }),

  requirement('16', 'upper and lower case are different', async (server) => {
    const room = server.room()
    const client = await server.enterRoom(room)
    await client.post(room, 'lower')
    same((await client.join(room.toUpperCase())).messages, [], 'messages')
  })
]
