import { newId, type Message } from '../client.ts'
import { requirement, same } from '../requirement.ts'
import type { Server } from '../server.ts'

const positions = (messages: readonly Message[]) => messages.map(({ position }) => position)

/** Someone in a room, someone else who talks there. */
async function two (server: Server) {
  const room = server.room()
  const ada = await server.enterRoom(room)
  const bob = await server.enterRoom(room)
  /** The first of them, on a new connection. */
  const back = async (after: string, history = 50) => {
    const client = await server.enter({ session: ada.welcome.session })
    return Object.assign(client, { joined: await client.join(room, { after, history }) })
  }
  return { room, ada, bob, back }
}

export const resuming = [
  requirement('6.2', 'a client that comes back has missed nothing when nothing was said', async (server) => {
    const { room, ada, back } = await two(server)
    const { position } = await ada.post(room, 'one')
    ada.cut()
    const { joined } = await back(position)
    same({ ...joined, members: [], count: 0, type: undefined }, { room, members: [], count: 0, messages: [], position, complete: true, type: undefined }, 'joined')
  }),

  requirement('6.2', 'it gets what it missed, in order, once', async (server) => {
    const { room, ada, bob, back } = await two(server)
    const { position } = await ada.post(room, 'heard')
    ada.cut()
    await bob.hear('message')
    const missed = []
    for (const text of ['one', 'two', 'three']) missed.push(await bob.post(room, text))
    const again = await back(position)
    same(again.joined.complete, true, 'complete')
    same(positions(await again.gather(again.joined, 3)), positions(missed), 'positions')
    await bob.post(room, 'live')
    same((await again.hear('message')).text, 'live', 'what comes then')
  }),

  requirement('8.2', 'a client that joined an empty room can resume too', async (server) => {
    const { room, ada, bob, back } = await two(server)
    ada.cut()
    const missed = await bob.post(room, 'first')
    const again = await back(ada.joined.position)
    same(again.joined.complete, true, 'complete')
    same(positions(await again.gather(again.joined, 1)), [missed.position], 'positions')
  }),

  requirement('19.3', 'it resumes while its old connection still looks alive', async (server) => {
    const { room, ada, bob, back } = await two(server)
    ada.channel.socket.pause()
    const missed = await bob.post(room, 'unheard')
    const again = await back(ada.joined.position)
    same(again.welcome.member.id, ada.welcome.member.id, 'the id')
    same(positions(await again.gather(again.joined, 1)), [missed.position], 'positions')
    await bob.post(room, 'live')
    same((await again.hear('message')).text, 'live', 'what comes then')
  }),

  requirement('6.2', 'more than a page is given in pages, each message once, then the live ones', async (server) => {
    const { room, ada, bob, back } = await two(server)
    ada.cut()
    const { payload = Infinity, byteBurst = Infinity } = bob.welcome.limits
    const text = 'x'.repeat(Math.min(12 * 1024, payload - 512, Math.floor(byteBurst / 16) - 512))
    const missed = []
    for (let i = 0; i < 12; i++) missed.push(await bob.post(room, text))
    const again = await back(ada.joined.position)
    const id = newId()
    bob.say({ type: 'post', room, id, text: 'live' })
    const had = await again.gather(again.joined, 13)
    same(positions(had.slice(0, 12)), positions(missed), 'positions')
    same(had.at(-1)?.text, 'live', 'the last')
    await again.hearNothing()
  }),

  requirement('6.2', 'a position that names no entry gives complete: false and the newest', async (server) => {
    const { room, ada, bob, back } = await two(server)
    ada.cut()
    for (const text of ['one', 'two', 'three']) await bob.post(room, text)
    const { joined: { complete, messages, position } } = await back('of-another-life-7', 2)
    same(complete, false, 'complete')
    same(messages.map(({ text }) => text), ['two', 'three'], 'messages')
    same(position, messages.at(-1)?.position, 'its place')
  }),

  requirement('8.2', 'a position of another room is none of this', async (server) => {
    const { room, bob, back } = await two(server)
    const elsewhere = server.room()
    await bob.join(elsewhere)
    const { position } = await bob.post(elsewhere, 'elsewhere')
    await bob.post(room, 'here')
    same((await back(position)).joined.complete, false, 'complete')
  })
]
