// Private rooms and direct messages: tables of the app have the members of each room, and `authorize` reads them. People sign in with a
// session cookie (@fastify/session), or, with AUTH=jwt, with a JSON Web Token (@fastify/jwt). Sign in as ada, bob or eve:
//   curl -c ada -H 'content-type: application/json' -d '{"name":"ada","password":"secret"}' http://127.0.0.1:3000/sign-in
//   curl -b ada -H 'content-type: application/json' -d '{"title":"Tea"}' http://127.0.0.1:3000/rooms
//   curl -b ada -X PUT http://127.0.0.1:3000/rooms/ROOM/members/bob
import { createHash, randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import fastifyChat from 'fastify-chat'
import { Rooms, type Room } from './private-rooms/rooms.ts'
import { jwt, people, requireSignIn, session, signIn } from './private-rooms/sign-in.ts'

interface InRoom { Params: { room: string, member: string } }
const titled = { type: 'object', required: ['title'], properties: { title: { type: 'string', maxLength: 100 } } }

const app = Fastify({ logger: true })
const rooms = new Rooms()
const identify = await signIn(app, process.env['AUTH'] === 'jwt' ? jwt : session)

await app.register(fastifyChat, {
  page: false,
  echo: false,
  authenticate: (request, { token }) => identify(request, token),
  async authorize ({ member, action, room, entry }) {
    if (!await rooms.isMember(room, member.id)) return false
    return action === 'edit' || action === 'delete' ? entry.from?.id === member.id : true
  }
})

await app.register(async (api) => {
  requireSignIn(api, identify)

  api.get('/rooms', async ({ me }) => await listed(me))
  api.get('/unread', async ({ me }) => ({ unread: (await listed(me)).reduce((sum, { unread }) => sum + unread, 0) }))

  // The server names the rooms. If members named them, a member could take the name of a conversation of others before it begins.
  api.post<{ Body: { title: string } }>('/rooms', { schema: { body: titled } }, async ({ me, body: { title } }, reply) => {
    const room = { room: randomUUID(), title, owner: me }
    await rooms.create(room, [me])
    return reply.code(201).send(room)
  })

  api.put<InRoom>('/rooms/:room/members/:member', async ({ me, params: { room, member } }, reply) => {
    if ((await rooms.find(room))?.owner !== me) return reply.code(404).send({ message: 'no such room of yours' })
    if (!people.has(member)) return reply.code(404).send({ message: 'no such person' })
    await rooms.add(room, member)
    await app.chat.sendToMember(member, { invitedTo: room })
    return reply.code(204).send()
  })

  // An owner may remove any member. Each member may remove itself.
  api.delete<InRoom>('/rooms/:room/members/:member', async ({ me, params: { room, member } }, reply) => {
    const found = await rooms.find(room)
    if (found === undefined || (found.owner !== me && member !== me)) return reply.code(404).send({ message: 'no such room of yours' })
    // The table changes first. Otherwise, the member could join again before the change.
    await rooms.remove(room, member)
    await app.chat.removeMember(room, member, { reason: 'you are no longer a member of this room' })
    return reply.code(204).send()
  })

  // Both people derive the same name. A hash fits into a name of 64 characters, and JSON separates the two ids unambiguously.
  api.put<InRoom>('/direct/:member', async ({ me, params: { member } }, reply) => {
    if (!people.has(member) || member === me) return reply.code(404).send({ message: 'no such person' })
    const both = [me, member].sort()
    const room = `dm:${createHash('sha256').update(JSON.stringify(both)).digest('base64url')}`
    if (await rooms.create({ room, title: both.join(', '), owner: null }, both)) await app.chat.sendToMember(member, { begun: room, with: me })
    await rooms.add(room, me)
    return { room }
  })
})

/** Returns the rooms of a member with their unread counts, also rooms that it has never read. `unread` accepts at most 1,000 rooms. */
async function listed (member: string): Promise<Array<Room & { readonly unread: number }>> {
  const own = await rooms.of(member)
  const counted = await app.chat.unread(member, { rooms: own.map(({ room }) => room) })
  return own.map((room, i) => ({ ...room, unread: counted[i]!.unread }))
}

await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })
