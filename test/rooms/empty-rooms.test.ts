import t from 'tap'
import { lmdb } from '../../src/drivers/lmdb/backend.ts'
import { chat } from '../support/chat-app.ts'
import { directory } from '../support/directory.ts'
import { texts } from '../support/v1-client.ts'

t.test('joins, resumes and histories of a new room are answered after another room was forgotten', async (t) => {
  // A room is forgotten when it is cleared.
  const { app, member } = await chat(t, { backend: lmdb({ path: directory(t), dedupWindow: 0 }) })
  const [ada, bob, eve] = await Promise.all([member(), member(), member()])
  const { position } = await ada.join('new')
  await eve.join('new')
  await app.chat.publish('other', { text: 'x' })
  await app.chat.clear('other')
  await ada.posted('new', 'first')
  t.match(texts([await eve.next()]), ['first'], 'members receive nothing but the message')
  t.match(texts((await bob.join('new', { history: 10 })).messages), ['first'])
  await ada.leave('new')
  t.match(await ada.join('new', { after: position }), { complete: true, messages: [{ text: 'first' }] })
  eve.say({ type: 'history', room: 'new', id: '1', after: position, limit: 10 })
  t.match(texts((await eve.expect('history')).messages), ['first'])
})
