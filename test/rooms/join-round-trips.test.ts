import t, { type Test } from 'tap'
import { redis } from '../../src/drivers/redis/backend.ts'
import { chat } from '../support/chat-app.ts'
import { heldReplies } from '../support/held-replies.ts'
import { redisServer, skip } from '../support/redis-server.ts'
import { texts } from '../support/v1-client.ts'

/** Starts two nodes. The replies to the second one can be held. Each script has run there, so that Redis knows it. */
async function nodes (t: Test) {
  const server = await redisServer(t)
  const near = await chat(t, { backend: redis({ url: server.socket }) })
  const replies = await heldReplies(t, server)
  const far = await chat(t, { backend: redis({ url: replies.socket }) })
  const member = await far.member({}, 'other')
  return { near, far, member, replies }
}

t.test('the first member of a room on a node waits for two round trips to Redis', { skip }, async (t) => {
  const { near, member, replies } = await nodes(t)
  const author = await near.member({}, 'lobby')
  const position = await author.posted('lobby', 'one')
  await author.posted('lobby', 'two')
  const joined = member.join('lobby')
  t.equal(await replies.roundTrips(joined), 2)
  const { messages, members, count } = await joined
  t.strictSame(texts(messages), ['one', 'two'])
  t.equal(count, 2)
  t.equal(members.length, 2)
  await member.leave('lobby')
  t.equal(await replies.roundTrips(member.join('lobby', { after: position })), 1, 'the node still follows the room')
})

t.test('a later member of a room waits for one round trip to Redis', { skip }, async (t) => {
  const { far, member, replies } = await nodes(t)
  await member.join('lobby')
  await member.posted('lobby', 'one')
  const later = await far.member()
  const joined = later.join('lobby')
  t.equal(await replies.roundTrips(joined), 1)
  t.strictSame(texts((await joined).messages), ['one'])
  t.equal((await joined).count, 2)
})

t.test('entries that are stored while a room is opened reach its first member, once and in order', { skip }, async (t) => {
  const { near, member, replies } = await nodes(t)
  const author = await near.member({}, 'lobby')
  let posts = 0
  const post = () => author.posted('lobby', `${++posts}`)
  const joined = member.join('lobby')
  t.equal(await replies.roundTrips(joined, post), 3, 'the first page is read again')
  await author.posted('lobby', 'end')
  t.strictSame([...texts((await joined).messages), ...texts(await member.upTo('end'))], ['1', '2', '3'])
})
