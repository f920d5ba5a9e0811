import { AsyncLocalStorage } from 'node:async_hooks'
import { EventEmitter, once } from 'node:events'
import { finished } from 'node:stream/promises'
import t from 'tap'
import fastifyChat, { type TextStream } from '../../src/index.ts'
import { bare, listen } from '../support/app.ts'
import { collectGarbage } from '../support/memory.ts'
import { tick } from '../support/tick.ts'
import { protocol, V1Client } from '../support/v1-client.ts'
import { open } from '../support/websocket-client.ts'

t.test('all hooks run in the AsyncLocalStorage context of the upgrade request', async (t) => {
  const visitors = new AsyncLocalStorage<string>()
  const seen: string[] = []
  const see = (hook: string) => { seen.push(`${hook} ${visitors.getStore()}`) }
  const ended = new EventEmitter()
  const app = bare(t)
  app.addHook('onRequest', (request, _reply, done) => { visitors.run(String(request.headers['x-visitor']), done) })
  await app.register(fastifyChat, {
    echo: { reply: (text) => { see('reply'); return text } },
    authenticate: () => { see('authenticate'); return { id: visitors.getStore()! } },
    authorize: ({ action }) => { see(`authorize ${action}`); return true },
    prePost: (draft) => { see('prePost'); return draft },
    preChange: (change) => { see('preChange'); return change },
    onPost: () => { see('onPost'); ended.emit('onPost') },
    onChange: () => { see('onChange'); ended.emit('onChange') },
    onJoin: () => { see('onJoin') },
    onLeave: () => { see('onLeave'); ended.emit('onLeave') }
  })
  app.post('/say', async () => await app.chat.publish('lobby', { text: 'from a route' }))
  app.post('/delete', async (request) => { await app.chat.delete('lobby', String(request.body)) })
  const streams: TextStream[] = []
  app.post('/answer', async () => { streams.push(app.chat.createWriteStream('lobby')) })
  const url = `ws://127.0.0.1:${await listen(app)}`
  const hooks = ['authenticate', 'authorize join', 'onJoin', 'authorize post', 'prePost', 'onPost']

  const ada = new V1Client(await open(t, `${url}/chat`, { protocol, headers: { 'x-visitor': 'ada' } }))
  await ada.hello()
  await ada.join('lobby')
  const adaPosted = once(ended, 'onPost')
  const position = await ada.posted('lobby', 'x')
  await adaPosted
  ada.say({ type: 'typing', room: 'lobby' })
  ada.say({ type: 'history', room: 'lobby', before: position, limit: 1 })
  await ada.expect('history')
  // The room was not open when `authorize` was first asked.
  t.strictSame(seen.splice(0), [hooks[0], 'authorize join', ...hooks.slice(1), 'authorize post', 'authorize history'].map((hook) => `${hook} ada`))
  const adaChanged = once(ended, 'onChange')
  ada.say({ type: 'edit', room: 'lobby', position, id: 'e', text: 'y' })
  while ((await ada.next()).type !== 'ack');
  await adaChanged
  t.strictSame(seen.splice(0), ['authorize edit', 'preChange', 'onChange'].map((hook) => `${hook} ada`))
  const adaLeft = once(ended, 'onLeave')
  ada.socket.terminate()
  await adaLeft
  t.strictSame(seen.splice(0), ['onLeave ada'])

  const bob = await open(t, `${url}/chat`, { headers: { 'x-visitor': 'bob' } })
  await bob.next()
  const bobPosted = once(ended, 'onPost')
  bob.socket.send('x')
  await bobPosted
  t.strictSame(seen.splice(0), hooks.map((hook) => `${hook} bob`))
  const bobLeft = once(ended, 'onLeave')
  bob.socket.close()
  await bobLeft
  t.strictSame(seen.splice(0), ['onLeave bob'])

  const evePosted = once(ended, 'onPost')
  await app.inject({ method: 'POST', url: '/say', headers: { 'x-visitor': 'eve' } })
  await evePosted
  t.strictSame(seen.splice(0), ['onPost eve'], "app.chat.publish keeps its caller's")
  const eveChanged = once(ended, 'onChange')
  await app.inject({ method: 'POST', url: '/delete', headers: { 'x-visitor': 'eve', 'content-type': 'text/plain' }, payload: position })
  await eveChanged
  t.strictSame(seen.splice(0), ['onChange eve'], 'and so does app.chat.delete')
  const gilChanged = once(ended, 'onChange')
  await app.inject({ method: 'POST', url: '/answer', headers: { 'x-visitor': 'gil' } })
  await Promise.all([finished(streams[0]!.end('x')), gilChanged])
  t.strictSame(seen.splice(0), ['onPost gil', 'onChange gil'], 'and so does a stream, until its end')

  const echo = await open(t, `${url}/echo`, { headers: { 'x-visitor': 'fay' } })
  echo.socket.send('x')
  await echo.next()
  t.strictSame(seen, ['reply fay'])
})

t.test('an open connection does not keep the request of its upgrade', async (t) => {
  const requests: Array<WeakRef<object>> = []
  const app = bare(t)
  await app.register(fastifyChat, {
    authenticate: (request) => { requests.push(new WeakRef(request)); return { id: 'x' } },
    prePost: (draft) => draft,
    onPost: () => {}
  })
  const url = `ws://127.0.0.1:${await listen(app)}/chat`
  const client = new V1Client(await open(t, url, { protocol }))
  await client.hello()
  await client.join('lobby')
  const plain = await open(t, url)
  await plain.next()
  await client.posted('lobby', 'x')
  t.equal(requests.length, 2)
  for (let i = 0; i < 10 && requests.some((request) => request.deref() !== undefined); i++) {
    await tick()
    collectGarbage()
  }
  t.strictSame(requests.map((request) => request.deref()), [undefined, undefined])
})
