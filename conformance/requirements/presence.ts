import type { Client, Identity, Said } from '../client.ts'
import { holds, requirement, same } from '../requirement.ts'

/** Who is in a room as a client sees it, kept as section 9 says. */
class View {
  readonly members = new Map<string, Identity>()
  readonly #client: Client
  count: number

  constructor (client: Client, { members, count }: Said['joined']) {
    this.#client = client
    this.count = count
    for (const member of members) this.members.set(member.id, member)
  }

  /** Follows what is told until it is so. */
  async until (reached: (view: View) => boolean): Promise<void> {
    while (!reached(this)) {
      const { joined, left, count } = await this.#client.hear('presence')
      for (const { id } of left) this.members.delete(id)
      for (const member of joined) this.members.set(member.id, member)
      this.count = count
    }
  }
}

export const presence = [
  requirement('9', 'who joins is told to those who are here, and they to it', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room, { name: 'ada' })
    const view = new View(ada, ada.joined)
    const bob = await server.enterRoom(room, { name: 'bob' })
    const { id } = bob.welcome.member
    await view.until(({ members, count }) => members.has(id) && count === 2)
    same(view.members.get(id), bob.welcome.member, 'who came')
    await new View(bob, bob.joined).until(({ members, count }) => members.has(ada.welcome.member.id) && count === 2)
  }),

  requirement('9', 'a member with two connections is one', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    const again = await server.enterRoom(room, { session: ada.welcome.session })
    const bob = await server.enterRoom(room)
    for (const client of [ada, again, bob]) {
      const view = new View(client, client.joined)
      await view.until(({ members }) => members.has(ada.welcome.member.id) && members.has(bob.welcome.member.id))
      same({ count: view.count, members: view.members.size }, { count: 2, members: 2 }, 'who is here')
    }
  }),

  requirement('9', 'a member is listed under the name that it joined with last', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    const view = new View(ada, ada.joined)
    const { welcome: { session, member: { id } } } = await server.enterRoom(room, { name: 'bob' })
    await view.until(({ members }) => members.get(id)?.name === 'bob')
    await server.enterRoom(room, { session, name: 'rob' })
    await view.until(({ members }) => members.get(id)?.name === 'rob')
    same({ count: view.count, members: view.members.size }, { count: 2, members: 2 }, 'who is here')
  }),

  requirement('9', 'who left goes, some seconds later', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    const bob = await server.enterRoom(room)
    const view = new View(ada, ada.joined)
    const { id } = bob.welcome.member
    await view.until(({ members }) => members.has(id))
    bob.say({ type: 'leave', room })
    await bob.hear('left')
    await view.until(({ members }) => !members.has(id))
    same(view.count, 1, 'count')
  }),

  requirement('10', 'typing is told to the others, with who it is', async (server) => {
    const room = server.room()
    const ada = await server.enterRoom(room)
    const bob = await server.enterRoom(room)
    bob.say({ type: 'typing', room })
    const { from, room: where } = await ada.hear('typing')
    same({ from, where }, { from: bob.welcome.member, where: room }, 'who types where')
    await bob.hearNothing()
    holds(ada.channel.socket.readyState === ada.channel.socket.OPEN, 'the connection was closed')
  })
]
