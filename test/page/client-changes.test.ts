import t from 'tap'
import type { ClientRoom } from '../../src/client/index.ts'
import { build, listen } from '../support/app.ts'
import { chatClient } from '../support/chat-client.ts'
import { launch, skip } from '../support/chromium.ts'
import { proxy } from '../support/proxy.ts'

/** A page of an app that shows the messages of a room with their changes. The test uses `room`. */
const html = `<!doctype html>
<meta charset="utf-8">
<ul id="messages"></ul>
<script type="module">
  import { ChatClient, applyChange } from '/demo/lib/client/index.js'

  const client = new ChatClient('ws://' + location.host + '/chat', { name: 'bob', minDelay: 1 })
  const messages = new Map()
  const render = () => document.querySelector('#messages').replaceChildren(...Array.from(messages.values(), (message) => {
    const item = document.createElement('li')
    const reactions = message.reactions?.map(({ reaction, count, mine }) => ' ' + reaction + count + (mine ? '*' : '')) ?? []
    item.textContent = (message.deleted ? '(deleted)' : message.text + (message.editedAt ? ' (edited)' : '')) + reactions.join('')
    return item
  }))
  const change = (change) => {
    const message = messages.get(change.position)
    if (message) messages.set(change.position, applyChange(message, change))
  }
  globalThis.room = await client.join('lobby')
  room.on('joined', (joined) => {
    if (!joined.complete) messages.clear()
    joined.changes.forEach(change)
    for (const message of joined.messages) messages.set(message.position, message)
    render()
  })
  room.on('message', (message) => {
    messages.set(message.position, message)
    render()
  })
  room.on('changed', (changed) => {
    change(changed)
    render()
  })
</script>`

t.setTimeout(300_000)

t.test('the client in a browser shows edits, reactions and deletions, also those missed offline', { skip }, async (t) => {
  const app = await build(t)
  app.get('/app', async (_request, reply) => await reply.type('text/html').send(html))
  const port = await listen(app)
  const network = await proxy(t, port)
  const ada = await chatClient(t, port, { name: 'ada' }).join('lobby')
  const first = await ada.post('helo')
  const second = await ada.post('a secret')

  const browser = await launch()
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  page.setDefaultTimeout(90_000)
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  await page.goto(`http://127.0.0.1:${network.port}/app`)
  const shows = (...texts: string[]) => page.waitForFunction((wanted) => {
    const shown = Array.from(document.querySelectorAll('#messages > li'), ({ textContent }) => textContent)
    return shown.join() === wanted
  }, texts.join())

  await shows('helo', 'a secret')
  await ada.edit(first, 'hello')
  await shows('hello (edited)', 'a secret')
  await page.evaluate(async (position) => await (globalThis as unknown as { room: ClientRoom }).room.react(position, '👍'), first)
  await shows('hello (edited) 👍1*', 'a secret')
  await ada.react(first, '👍')
  await shows('hello (edited) 👍2*', 'a secret')
  await ada.delete(second)
  await shows('hello (edited) 👍2*', '(deleted)')

  network.target = undefined
  network.cut()
  await ada.edit(first, 'hello, bob')
  await ada.unreact(first, '👍')
  await ada.post('there you are')
  network.target = port
  await shows('hello, bob (edited) 👍1*', '(deleted)', 'there you are')
  t.strictSame(complaints, [])
})
