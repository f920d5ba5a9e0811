import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { logged, open, upgraded, wholeFrames, wired, type Client, type Line, type Wire } from './helper.ts'
import { chat, texts, turn, type ChatApp, type V1Client } from './v1-client.ts'

const TEXT = 1
const KiB = 1024
const MiB = 1024 * KiB

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const v1 = ({ app, member }: ChatApp, ...rooms: string[]) => wired(app, () => member({}, ...rooms))
const plain = ({ app, plain: join }: ChatApp, query = '') => wired(app, () => join(query))

/** Has the system take nothing more of a connection, as it does of one whose client has long not read. */
function stall ({ socket }: Wire): void {
  socket._write = () => {}
  socket._writev = () => {}
}

async function take ({ next }: Client, count: number): Promise<string[]> {
  const messages: string[] = []
  while (messages.length < count) messages.push((await next()).toString())
  return messages
}

const number = (text: unknown) => parseInt(String(text))
const closings = ({ lines }: { lines: Line[] }, reason: string) => lines.filter((line) => line.msg === 'websocket closed' && line['reason'] === reason)

/** Resolves once so many connections have ended for this reason. */
async function ended ({ app }: ChatApp, reason: string, count: number): Promise<void> {
  while (closings(app, reason).length < count) await turn()
}

t.test('who does not read is cut off, v1 or plain, and told of in the log once each; the others lose nothing', async (t) => {
  const room = await chat(t)
  const slow = [await v1(room, 'lobby'), await plain(room), await plain(room, '?self=0')]
  const [reader, listener] = [await room.member({}, 'lobby'), await room.plain()]
  for (const { client } of slow) client.socket.pause()

  const text = 'x'.repeat(16 * KiB)
  let said = 0
  while (slow.some(({ wire }) => !wire.socket.destroyed)) {
    for (let i = 0; i < 8; i++) await room.app.chat.publish('lobby', { text: `${said++} ${text}` })
    await turn()
  }
  t.strictSame((await reader.take(said)).map((message) => 'text' in message && number(message.text)), Array.from({ length: said }, (_, i) => i))
  t.strictSame((await take(listener, said)).map(number), Array.from({ length: said }, (_, i) => i))

  for (const { client } of slow) {
    client.socket.resume()
    t.match(await client.closed, { code: 1006 })
  }
  await ended(room, 'reads too slowly', 3)
  reader.post('lobby', 'and on')
  t.equal(await listener.next(), 'and on')
  t.match(closings(room.app, 'reads too slowly'), [{ level: 30, code: 1008 }, { level: 30, code: 1008 }, { level: 30, code: 1008 }])
  t.equal(closings(room.app, 'reads too slowly').length, 3)
})

t.test('who was cut off comes back to what it missed, each message once', async (t) => {
  const room = await chat(t)
  const { client, wire } = await v1(room)
  const { session } = await hello(client)
  const { position } = await client.join('lobby')
  client.socket.pause()
  const text = 'x'.repeat(16 * KiB)
  const said = 200
  const before = Math.floor(said / 2)
  for (let i = 0; i < before; i++) await room.app.chat.publish('lobby', { text: `${i}` })
  stall(wire)
  for (let i = before; i < said; i++) {
    await room.app.chat.publish('lobby', { text: `${i} ${text}` })
    await turn()
  }
  await logged(room.app, 'websocket closed')
  t.ok(wire.socket.destroyed)

  const heard: number[] = []
  let place = position
  client.socket.resume()
  for (let over = false; !over;) {
    const message = await client.next().catch(() => undefined)
    if (message?.type === 'message') {
      heard.push(number(message.text))
      place = message.position
    }
    over = message === undefined
  }
  t.ok(heard.length >= before && heard.length < said, `${heard.length} heard before`)

  const back = await room.member({ session })
  const { messages, complete } = await back.join('lobby', { after: place })
  t.ok(complete)
  const rest = await back.take(said - heard.length - messages.length)
  t.strictSame([...heard, ...texts(messages).map(number), ...texts(rest).map(number)], Array.from({ length: said }, (_, i) => i))
})

async function hello (client: V1Client) {
  const fresh = client
  return await fresh.hello()
}
