import t from 'tap'
import type { FastifyChatOptions } from '../../src/index.ts'
import { connect } from '../../src/testing.ts'
import { build, logged } from '../support/app.ts'

const quiet: FastifyChatOptions = { chat: { greeting: false } }

t.test('app.chat', async (t) => {
  t.test('publishes from an HTTP route to the members of a room', async (t) => {
    const app = await build(t, quiet)
    app.post('/announce', async () => ({ position: await app.chat.publish('hall', { text: 'dinner!', from: { id: 'kitchen', name: 'cook' } }) }))
    const member = await connect(app, '/chat?room=hall')
    const elsewhere = await connect(app, '/chat?room=attic')
    const { statusCode, body } = await app.inject({ method: 'POST', url: '/announce' })
    t.equal(statusCode, 200)
    t.match(JSON.parse(body), { position: String })
    t.equal(await member.next(), 'cook: dinner!')
    await app.chat.publish('attic', { text: 'only here' })
    t.equal(await elsewhere.next(), 'only here')
  })

  t.test('lists the rooms that have members', async (t) => {
    const app = await build(t, quiet)
    t.strictSame(app.chat.rooms(), [])
    await app.chat.publish('empty', { text: 'nobody hears' })
    const member = await connect(app, '/chat?room=hall')
    await app.chat.publish('hall', { text: 'joined?' })
    await member.next()
    t.strictSame(app.chat.rooms(), ['hall'])
    await member.close()
    await logged(app, 'websocket closed')
    t.strictSame(app.chat.rooms(), [])
  })

  t.test('rejects once the app is closed', async (t) => {
    const app = await build(t)
    await app.ready()
    await app.close()
    await t.rejects(app.chat.publish('lobby', { text: 'too late' }), { code: 'FST_CHAT_STORE_CLOSED' })
  })
})
