// A moderator deletes messages, and they disappear for every member. Sign in as ada, bob or mia, the moderator:
//   npx fastify-chat connect ws://127.0.0.1:3000/chat --v1 --token ada
// Delete everything that bob has said, and ban him:
//   curl -X DELETE -H 'authorization: Bearer mia' http://127.0.0.1:3000/members/bob/messages
import Fastify from 'fastify'
import fastifyChat from 'fastify-chat'

/** By token. Real tokens are secrets. */
const members = new Map([['ada', { id: 'ada', name: 'Ada' }], ['bob', { id: 'bob', name: 'Bob' }], ['mia', { id: 'mia', name: 'Mia' }]])
const moderators = new Set(['mia'])

const app = Fastify({ logger: true })

await app.register(fastifyChat, {
  page: false,
  echo: false,
  authenticate: (_request, { token = '' }) => members.get(token),
  // With this hook, it alone decides who may change which message.
  authorize ({ member, action, entry }) {
    if (action === 'edit') return entry.from?.id === member.id
    if (action === 'delete') return entry.from?.id === member.id || moderators.has(member.id)
    return true
  },
  onChange (change, { position }, room) {
    if (change.type === 'delete') app.log.info({ room, position }, 'a message was deleted')
  }
})

app.delete<{ Params: { id: string } }>('/members/:id/messages', async ({ headers, params: { id } }, reply) => {
  const member = members.get(headers.authorization?.replace('Bearer ', '') ?? '')
  if (member === undefined || !moderators.has(member.id)) return reply.code(403).send({ message: 'moderators only' })
  // First, so that no later message is missed.
  await app.chat.ban(id, { duration: Infinity })
  return { deleted: await app.chat.deleteMessages({ member: id }) }
})

await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) })
