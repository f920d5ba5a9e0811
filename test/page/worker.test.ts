import t from 'tap'
import { chat } from '../support/chat-app.ts'
import { openTab, skip } from '../support/chromium.ts'

t.setTimeout(300_000)

t.test('the client connects and posts in a web worker', { skip }, async (t) => {
  const { port } = await chat(t, {}, {}, (app) => {
    app.get('/', async (_request, reply) => reply.type('text/html').send('<!doctype html><link rel="icon" href="data:,">'))
    app.get('/worker.js', async (_request, reply) => reply.type('text/javascript').send(`
      import { ChatClient } from '/demo/lib/client.js'
      const client = new ChatClient('ws://' + location.host + '/chat')
      client.join('lobby').then((room) => room.post('hello')).then(postMessage)`))
  })
  const page = await openTab(t)
  await page.goto(`http://127.0.0.1:${port}/`)
  const position = await page.evaluate(() => new Promise((resolve, reject) => {
    const worker = new Worker('/worker.js', { type: 'module' })
    worker.onmessage = ({ data }) => resolve(data)
    worker.onerror = ({ message }) => reject(new Error(message))
  }))
  t.type(position, 'string')
})
