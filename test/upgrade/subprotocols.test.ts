import t from 'tap'
import { build, listen } from '../support/app.ts'
import { openTab, skip } from '../support/chromium.ts'
import { blocksOf } from '../support/markdown.ts'
import { upgraded } from '../support/raw-client.ts'
import { snippet } from '../support/snippet.ts'
import { protocol, V1Client } from '../support/v1-client.ts'
import { open } from '../support/websocket-client.ts'

const token = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSJ9.c2lnbmF0dXJl'
const quiet = { greeting: false } as const

for (const [offered, selected] of [
  ['bearer', 'bearer'],
  [`bearer, ${token}`, 'bearer'],
  [`${token},bearer`, 'bearer'],
  ['second, bearer', 'bearer'],
  [`second, ${token}`, 'second'],
  [token, undefined],
  ['Bearer', undefined],
  [undefined, undefined]
] as const) {
  t.test(`a client that offers ${offered} gets ${selected} on both routes`, async (t) => {
    const port = await listen(await build(t, { subprotocols: ['bearer', 'second'] }))
    for (const path of ['/chat', '/echo']) {
      const { received } = await upgraded(t, port, path, undefined, offered === undefined ? {} : { 'Sec-WebSocket-Protocol': offered })
      t.equal(/^sec-websocket-protocol: (.*)\r$/im.exec(received.toString())?.[1], selected, path)
      t.notMatch(received.toString(), token, 'the token is not sent back')
    }
  })
}

t.test('a client with a selected subprotocol is plain', async (t) => {
  const port = await listen(await build(t, { subprotocols: ['bearer'], chat: quiet }))
  const { socket, next } = await open(t, `ws://127.0.0.1:${port}/chat`, { protocol: 'bearer' })
  socket.send('hello')
  t.equal(await next(), 'hello')
})

t.test('fastify-chat.v1 is selected if it is offered, in any order', async (t) => {
  const port = await listen(await build(t, { subprotocols: ['bearer'] }))
  for (const offered of [`${protocol}, bearer, ${token}`, `bearer, ${token}, ${protocol}`]) {
    const { received } = await upgraded(t, port, '/chat', undefined, { 'Sec-WebSocket-Protocol': offered })
    t.match(received.toString(), `Sec-WebSocket-Protocol: ${protocol}\r\n`)
  }
  const client = new V1Client(await open(t, `ws://127.0.0.1:${port}/chat`, { protocol }))
  await client.hello()
})

t.test('without the option no subprotocol is selected for a plain client', async (t) => {
  const port = await listen(await build(t))
  const { received } = await upgraded(t, port, '/chat', undefined, { 'Sec-WebSocket-Protocol': 'bearer' })
  t.notMatch(received.toString(), /sec-websocket-protocol/i)
})

t.test('DEPLOYMENT.md: a page with a token as a subprotocol is authenticated, and 4401 without', { skip }, async (t) => {
  const heading = 'Tokens of plain clients'
  const [block] = blocksOf('docs/DEPLOYMENT.md').filter((each) => each.heading === heading)
  const [, known = ''] = /\[\['(.*)', \{/.exec(block!.source)!
  const port = await snippet(t.testdir(), 'docs/DEPLOYMENT.md', heading)(t).port()
  const page = await openTab(t)
  await page.goto(`http://127.0.0.1:${port}/demo/style.css`)
  // A string, because functions that tsx compiles refer to helpers that the page doesn't have.
  const connect = (offered: string[]) => page.evaluate(`new Promise((resolve) => {
    const socket = new WebSocket('ws://127.0.0.1:${port}/chat', ${JSON.stringify(offered)})
    socket.onmessage = ({ data }) => resolve([socket.protocol, data])
    socket.onclose = ({ code }) => resolve(code)
  })`)
  t.strictSame(await connect(['bearer', known]), ['bearer', 'connected to WebSocket server'])
  t.equal(await connect(['bearer', token]), 4401)
  t.equal(await connect([known]), 1006, 'browsers fail a connection if none of their subprotocols is selected')
})
