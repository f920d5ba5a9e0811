import { equal } from '../assertions.ts'
import { newId, type Message } from '../client.ts'
import { requirement } from '../requirement.ts'
import type { Server } from '../server.ts'

const positions = (messages: readonly Message[]) => messages.map(({ position }) => position)

/** Resolves with two members of a room. */
async function two (server: Server) {
  const room = server.room()
  const ada = await server.joinedClient(room)
  const bob = await server.joinedClient(room)
  /** Resolves with the first member on a new connection. */
  const back = async (after: string, history = 50) => {
    const client = await server.welcomedClient({ session: ada.welcome.session })
    return Object.assign(client, { joined: await client.join(room, { after, history }) })
  }
  return { room, ada, bob, back }
}

export const resuming = [
  requirement('6.2', 'a client that missed nothing resumes with no messages', async (server) => {
    const { room, ada, back } = await two(server)
    const { position } = await ada.post(room, 'one')
    ada.terminate()
    const { joined } = await back(position)
    equal({ ...joined, members: [], count: 0, type: undefined }, { room, members: [], count: 0, messages: [], position, complete: true, type: undefined }, 'joined')
  }),

  requirement('6.2', 'a client that resumes receives the missed messages once, in order', async (server) => {
    const { room, ada, bob, back } = await two(server)
    const { position } = await ada.post(room, 'heard')
    ada.terminate()
    await bob.receive('message')
    const missed = []
    for (const text of ['one', 'two', 'three']) missed.push(await bob.post(room, text))
    const again = await back(position)
    equal(again.joined.complete, true, 'complete')
    equal(positions(await again.receiveMessages(again.joined, 3)), positions(missed), 'positions')
    await bob.post(room, 'live')
    equal((await again.receive('message')).text, 'live', 'next text')
  }),

  requirement('8.2', 'a client can resume from the position of an empty room', async (server) => {
    const { room, ada, bob, back } = await two(server)
    ada.terminate()
    const missed = await bob.post(room, 'first')
    const again = await back(ada.joined.position)
    equal(again.joined.complete, true, 'complete')
    equal(positions(await again.receiveMessages(again.joined, 1)), [missed.position], 'positions')
  }),

  requirement('19.3', 'a client can resume while its old connection is still open', async (server) => {
    const { room, ada, bob, back } = await two(server)
    ada.channel.socket.pause()
    const missed = await bob.post(room, 'unheard')
    const again = await back(ada.joined.position)
    equal(again.welcome.member.id, ada.welcome.member.id, 'id')
    equal(positions(await again.receiveMessages(again.joined, 1)), [missed.position], 'positions')
    await bob.post(room, 'live')
    equal((await again.receive('message')).text, 'live', 'next text')
  }),

  requirement('6.2', 'more than a page of missed messages is delivered once, before live messages', async (server) => {
    const { room, ada, bob, back } = await two(server)
    ada.terminate()
    const { payload = Infinity, byteBurst = Infinity } = bob.welcome.limits
    const text = 'x'.repeat(Math.min(12 * 1024, payload - 512, Math.floor(byteBurst / 16) - 512))
    const missed = []
    for (let i = 0; i < 12; i++) missed.push(await bob.post(room, text))
    const again = await back(ada.joined.position)
    const id = newId()
    bob.send({ type: 'post', room, id, text: 'live' })
    const received = await again.receiveMessages(again.joined, 13)
    equal(positions(received.slice(0, 12)), positions(missed), 'positions')
    equal(received.at(-1)?.text, 'live', 'last text')
    await again.receiveNothing()
  }),

  requirement('6.2', 'an unknown position returns complete: false and the newest messages', async (server) => {
    const { room, ada, bob, back } = await two(server)
    ada.terminate()
    for (const text of ['one', 'two', 'three']) await bob.post(room, text)
    const { joined: { complete, messages, position } } = await back('of-another-epoch-7', 2)
    equal(complete, false, 'complete')
    equal(messages.map(({ text }) => text), ['two', 'three'], 'messages')
    equal(position, messages.at(-1)?.position, 'position')
  }),

  requirement('8.2', 'a position of another room is unknown', async (server) => {
    const { room, bob, back } = await two(server)
    const elsewhere = server.room()
    await bob.join(elsewhere)
    const { position } = await bob.post(elsewhere, 'elsewhere')
    await bob.post(room, 'here')
    equal((await back(position)).joined.complete, false, 'complete')
  })
]
