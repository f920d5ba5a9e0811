import t, { type Test } from 'tap'
import type { ClientRoom } from '../../src/client/node.ts'
import { build, listen } from '../support/app.ts'
import { chatClient } from '../support/chat-client.ts'
import { complaintsOf, networkErrors, openTab, skip } from '../support/chromium.ts'
import { proxy } from '../support/proxy.ts'

/** The test's view of the page: the room, the texts of `appended` and the number of its `joined`. */
interface AppWindow { readonly room: ClientRoom, readonly appended: string[], readonly joins: number }

/** A page of an app that shows the messages of a room with their changes. The test reads its globals. */
const html = `<!doctype html>
<meta charset="utf-8">
<ul id="messages"></ul>
<script type="module">
  import { ChatClient, applyChange } from '/demo/lib/client.js'

  const client = new ChatClient('ws://' + location.host + '/chat', { name: 'bob', minDelay: 1 })
  const messages = new Map()
  const render = () => document.querySelector('#messages').replaceChildren(...Array.from(messages.values(), (message) => {
    const item = document.createElement('li')
    const reactions = message.reactions?.map(({ reaction, count, mine }) => ' ' + reaction + count + (mine ? '*' : '')) ?? []
    const marks = ['streaming', 'unfinished', 'editedAt'].filter((name) => message[name]).map((name) => ' (' + name.replace('At', '') + ')')
    item.textContent = (message.deleted ? '(deleted)' : message.text + marks.join('')) + reactions.join('')
    return item
  }))
  const change = (change) => {
    const message = messages.get(change.position)
    if (message) messages.set(change.position, applyChange(message, change))
  }
  globalThis.room = await client.join('lobby')
  globalThis.appended = []
  globalThis.joins = 0
  room.on('joined', (joined) => {
    joins++
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
    if (changed.appended) appended.push(changed.appended.text)
    change(changed)
    render()
  })
</script>`

t.setTimeout(300_000)

/** Resolves with an app, its network, and a browser window that shows the messages of its room. */
async function open (t: Test) {
  const app = await build(t)
  app.get('/app', async (_request, reply) => await reply.type('text/html').send(html))
  const port = await listen(app)
  const network = await proxy(t, port)
  const page = await openTab(t)
  const complaints = complaintsOf(page, networkErrors)
  const visit = () => page.goto(`http://127.0.0.1:${network.port}/app`)
  const shows = (...texts: string[]) => page.waitForFunction((wanted) => {
    const shown = Array.from(document.querySelectorAll('#messages > li'), ({ textContent }) => textContent)
    return shown.join() === wanted
  }, texts.join())
  return { app, port, network, page, complaints, visit, shows }
}

t.test('the client in a browser shows edits, reactions and deletions, also those missed offline', { skip }, async (t) => {
  const { port, network, page, complaints, visit, shows } = await open(t)
  const ada = await chatClient(t, port, { name: 'ada' }).join('lobby')
  const first = await ada.post('helo')
  const second = await ada.post('a secret')
  await visit()

  await shows('helo', 'a secret')
  await ada.edit(first, 'hello')
  await shows('hello (edited)', 'a secret')
  await page.evaluate(async (position) => await (globalThis as unknown as AppWindow).room.react(position, '👍'), first)
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

t.test('the client in a browser shows a streamed text whole, that it missed the middle of', { skip }, async (t) => {
  const { app, port, network, page, complaints, visit, shows } = await open(t)
  await visit()
  await page.waitForFunction(() => (globalThis as unknown as AppWindow).joins === 1)
  const stream = app.chat.createWriteStream('lobby')
  const pieces = Array.from({ length: 60 }, (_, i) => `${i} 😀 `)
  const write = (from: number, to: number) => Promise.all(pieces.slice(from, to).map((piece) => new Promise<void>((resolve, reject) => {
    stream.write(piece, (error) => { if (error) reject(error); else resolve() })
  })))
  const text = (count: number) => pieces.slice(0, count).join('')
  for (let i = 0; i < 20; i++) await write(i, i + 1)
  await shows(`${text(20)} (streaming)`)

  network.target = undefined
  network.cut()
  await write(20, 40)
  network.target = port
  await shows(`${text(40)} (streaming)`)
  for (let i = 40; i < 60; i++) await write(i, i + 1)
  stream.end()
  await shows(text(60))
  const { appended, joins } = await page.evaluate(() => {
    const { appended, joins } = globalThis as unknown as AppWindow
    return { appended, joins }
  })
  t.equal(appended.join(''), text(20) + pieces.slice(40).join(''), 'without a gap and an overlap')
  t.equal(joins, 2)
  t.strictSame(complaints, [])
})
