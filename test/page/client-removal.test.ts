import t from 'tap'
import type { ClientRoom } from '../../src/client/node.ts'
import { build, listen } from '../support/app.ts'
import { complaintsOf, networkErrors, openTab, skip } from '../support/chromium.ts'
import { proxy } from '../support/proxy.ts'

/** The test's view of the page: the client, its room, and what it has received. */
interface AppWindow { readonly room: ClientRoom, readonly seen: string[] }

/** A page of an app that records the messages of a room and its end. */
const html = `<!doctype html>
<meta charset="utf-8">
<script type="module">
  import { ChatClient } from '/demo/lib/client.js'

  globalThis.client = new ChatClient('ws://' + location.host + '/chat', { name: 'bob', minDelay: 1 })
  globalThis.seen = []
  globalThis.enter = async (name) => {
    const room = globalThis.room = await client.join(name)
    room.on('joined', ({ again }) => { if (again) seen.push('joined ' + name + ' again') })
    room.on('message', ({ text }) => seen.push(text))
    room.on('left', ({ code, message }) => seen.push('left ' + name + ': ' + code + ', ' + message))
  }
  await enter('lobby')
  globalThis.ready = true
</script>`

t.setTimeout(300_000)

t.test('a removed member in a browser receives the reason last, and joins again only when told to', { skip }, async (t) => {
  const joins: string[] = []
  const app = await build(t, { onJoin: (_member, room) => { joins.push(room) } })
  app.get('/app', async (_request, reply) => await reply.type('text/html').send(html))
  const network = await proxy(t, await listen(app))
  const page = await openTab(t)
  const complaints = complaintsOf(page, networkErrors)
  const shows = async (...wanted: string[]) => {
    await page.waitForFunction((count) => (globalThis as unknown as AppWindow).seen.length >= count, wanted.length)
    t.strictSame(await page.evaluate(() => (globalThis as unknown as AppWindow).seen), wanted)
  }
  const enter = (name: string) => page.evaluate((room) => (globalThis as unknown as { enter (room: string): Promise<void> }).enter(room), name)

  await page.goto(`http://127.0.0.1:${network.port}/app`)
  await page.waitForFunction(() => 'ready' in globalThis)
  const [bob] = (await app.chat.members('lobby')).members
  await app.chat.publish('lobby', { text: 'before' })
  await shows('before')
  await app.chat.removeMember('lobby', bob!.id, { reason: 'spam' })
  await app.chat.publish('lobby', { text: 'after' })
  await shows('before', 'left lobby: removed, spam')
  const refused = await page.evaluate(async () => await (globalThis as unknown as AppWindow).room.post('late').catch(({ code }) => code as string))
  t.equal(refused, 'removed')

  await enter('tea')
  network.cut()
  await shows('before', 'left lobby: removed, spam', 'joined tea again')
  await app.chat.publish('lobby', { text: 'not for bob' })
  await app.chat.publish('tea', { text: 'for bob' })
  await shows('before', 'left lobby: removed, spam', 'joined tea again', 'for bob')
  t.strictSame(joins, ['lobby', 'tea', 'tea'])

  await enter('lobby')
  await app.chat.publish('lobby', { text: 'welcome back' })
  await shows('before', 'left lobby: removed, spam', 'joined tea again', 'for bob', 'welcome back')
  t.strictSame(complaints, [])
})
