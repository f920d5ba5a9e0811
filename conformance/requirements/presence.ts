import { equal } from '../assertions.ts'
import type { Client, Member, ServerMessages } from '../client.ts'
import { requirement } from '../requirement.ts'

/** A client's view of the members of a room. PROTOCOL.md, section 9. */
class View {
  readonly members = new Map<string, Member>()
  readonly #client: Client
  count: number

  constructor (client: Client, { members, count }: ServerMessages['joined']) {
    this.#client = client
    this.count = count
    for (const member of members) this.members.set(member.id, member)
  }

  /** Applies `presence` messages until the condition is met. */
  async until (reached: (view: View) => boolean): Promise<void> {
    while (!reached(this)) {
      const { joined, left, count } = await this.#client.receive('presence')
      for (const { id } of left) this.members.delete(id)
      for (const member of joined) this.members.set(member.id, member)
      this.count = count
    }
  }
}

export const presence = [
  requirement('9', 'a member that joins and the present members are listed for each other', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room, { name: 'ada' })
    const view = new View(ada, ada.joined)
    const bob = await server.joinedClient(room, { name: 'bob' })
    const { id } = bob.welcome.member
    await view.until(({ members, count }) => members.has(id) && count === 2)
    equal(view.members.get(id), bob.welcome.member, 'the member that joined')
    await new View(bob, bob.joined).until(({ members, count }) => members.has(ada.welcome.member.id) && count === 2)
  }),

  requirement('9', 'a member with two connections is listed once', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const again = await server.joinedClient(room, { session: ada.welcome.session })
    const bob = await server.joinedClient(room)
    for (const client of [ada, again, bob]) {
      const view = new View(client, client.joined)
      await view.until(({ members }) => members.has(ada.welcome.member.id) && members.has(bob.welcome.member.id))
      equal({ count: view.count, members: view.members.size }, { count: 2, members: 2 }, 'members')
    }
  }),

  requirement('9', 'a member is listed under the last name that it joined with', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const view = new View(ada, ada.joined)
    const { welcome: { session, member: { id } } } = await server.joinedClient(room, { name: 'bob' })
    await view.until(({ members }) => members.get(id)?.name === 'bob')
    await server.joinedClient(room, { session, name: 'rob' })
    await view.until(({ members }) => members.get(id)?.name === 'rob')
    equal({ count: view.count, members: view.members.size }, { count: 2, members: 2 }, 'members')
  }),

  requirement('9', 'a member that left is removed after a delay', async (server) => {
    const room = server.room()
    const ada = await server.joinedClient(room)
    const bob = await server.joinedClient(room)
    const view = new View(ada, ada.joined)
    const { id } = bob.welcome.member
    await view.until(({ members }) => members.has(id))
    bob.send({ type: 'leave', room })
    await bob.receive('left')
    await view.until(({ members }) => !members.has(id))
    equal(view.count, 1, 'count')
  })
]
