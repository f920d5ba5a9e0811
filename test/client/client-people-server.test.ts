import t from 'tap'
import { build, listen } from '../support/app.ts'
import { chatClient, nextEvent, state } from '../support/chat-client.ts'
import { proxy } from '../support/proxy.ts'

t.test('members have the data that the app gives them, and new data after a reconnect', async (t) => {
  const data = new Map([['ada', { role: 'host' }], ['bob', { role: 'guest' }]])
  const app = await build(t, { authenticate: (_request, { name = '' }) => ({ id: name, name, data: data.get(name) }) })
  const port = await listen(app)
  const network = await proxy(t, port)
  const [ada, bob] = [chatClient(t, port, { name: 'ada' }), chatClient(t, network.port, { name: 'bob' })]
  t.strictSame((await state(bob, 'online')).member, { id: 'bob', name: 'bob', data: { role: 'guest' } })
  const room = await ada.join('lobby')
  const entered = nextEvent(room, 'presence', ({ joined }) => joined.some(({ id }) => id === 'bob'))
  const bobs = await bob.join('lobby')
  await entered
  t.strictSame(room.members.get('bob')?.data, { role: 'guest' })
  const message = nextEvent(room, 'message')
  await bobs.post('hi')
  t.strictSame((await message).from, { id: 'bob', name: 'bob' }, 'a sender has no data')

  data.set('bob', { role: 'host' })
  const changed = nextEvent(room, 'presence', ({ joined }) => joined.some(({ data }) => (data as { role: string }).role === 'host'))
  network.cut()
  await changed
  t.strictSame(room.members.get('bob')?.data, { role: 'host' })
  t.strictSame((await state(bob, 'online')).member.data, { role: 'host' })
})

t.test('a direct message reaches each connection of the member, and no other member', async (t) => {
  const app = await build(t, { authenticate: (_request, { name = '' }) => ({ id: name, name }) })
  const port = await listen(app)
  const clients = ['ada', 'bob', 'bob'].map((name) => chatClient(t, port, { name }))
  await Promise.all(clients.map((client) => state(client, 'online')))
  const [ada, ...bobs] = clients
  ada!.on('direct', () => t.fail('it is not for ada'))
  const received = bobs.map((client) => new Promise((resolve) => client.on('direct', ({ data }) => resolve(data))))
  t.equal(await app.chat.sendToMember('bob', { unread: 3 }), true)
  t.strictSame(await Promise.all(received), [{ unread: 3 }, { unread: 3 }])
  await (await ada!.join('lobby')).post('what was sent before this has come')
})
