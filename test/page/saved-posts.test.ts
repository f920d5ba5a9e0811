import fastifyStatic from '@fastify/static'
import type { BrowserContext, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { memory } from '../../src/index.ts'
import type { SavedPost } from '../../src/client/index.ts'
import { bare, listen } from '../support/app.ts'
import { chat } from '../support/chat-app.ts'
import { launch, skip } from '../support/chromium.ts'
import { dist } from '../support/compiled.ts'
import { proxy, type Proxy } from '../support/proxy.ts'

/** Number of random rounds. */
const ROUNDS = Number(process.env['SAVED_POSTS_ROUNDS'] ?? 12)

// ms: reached only on a failure.
t.setTimeout(1_800_000)

/** What a test page offers. */
interface TestPage {
  /** Makes posts without waiting for their outcome. Resolves when they are saved. */
  write (texts: string[]): Promise<void>
  /** Resolves with the saved posts of all tabs. */
  list (): Promise<SavedPost[]>
  restored: string[]
  errors: string[]
}

const html = (port: number) => `<script type="module">
  import { ChatClient } from '/lib/client/index.js'
  import { indexedDBPosts } from '/lib/client/indexeddb/index.js'

  const saved = new Map()
  const store = indexedDBPosts()
  const { open } = store
  store.open = (client) => {
    const saver = open(client)
    const save = (request, room) => {
      const done = saver.save(request, room)
      saved.set(request.id, done)
      return done
    }
    return { ...saver, save }
  }
  const client = new ChatClient('ws://127.0.0.1:${port}/chat', { minDelay: 1, maxDelay: 20, token: 'ada', savedPosts: store })
  window.restored = []
  window.errors = []
  client.on('restored', ({ text, post }) => {
    window.restored.push(text)
    post.catch((error) => window.errors.push(String(error)))
  })
  client.on('error', (error) => window.errors.push(String(error)))
  window.list = () => store.list()
  client.join('lobby').then((room) => {
    window.write = async (texts) => {
      saved.clear()
      for (const text of texts) room.post(text).catch((error) => window.errors.push(String(error)))
      await new Promise((resolve) => setTimeout(resolve))
      await Promise.all(saved.values())
    }
  })
</script>`

/** life: of the document that the tab shows; a reload begins another one */
interface Tab { readonly page: Page, life: { isAlive: boolean } }

/** Starts a chat, a site with the test page, and a browser. */
async function setUp (t: Test) {
  const authenticate = () => ({ id: 'ada', name: 'ada' })
  const { app, port } = await chat(t, { backend: memory({ historyEntries: 100_000 }), origins: true, authenticate })
  const network = await proxy(t, port)
  const site = bare(t)
  await site.register(fastifyStatic, { root: dist, prefix: '/lib/' })
  site.get('/', (_request, reply) => reply.type('text/html').send(html(network.port)))
  const url = `http://127.0.0.1:${await listen(site)}/`
  const browser = await launch()
  t.teardown(() => browser.close())
  const texts = async () => (await app.chat.history('lobby', { limit: 100_000 })).entries.map(({ text }) => text ?? '')
  return { app, network, url, browser, texts }
}

/** Opens tabs of one context, and records which tab sends which post. A post that two living tabs send is in `twice`. */
function tabs (context: BrowserContext, url: string) {
  const senders = new Map<string, Tab['life']>()
  const twice: string[] = []
  const ready = (page: Page) => page.waitForFunction(() => 'write' in window, undefined, { timeout: 90_000, polling: 10 })
  async function open (): Promise<Tab> {
    const tab: Tab = { page: await context.newPage(), life: { isAlive: true } }
    const end = () => { tab.life.isAlive = false }
    tab.page.on('crash', end).on('close', end).on('framenavigated', () => {
      end()
      tab.life = { isAlive: true }
    })
    tab.page.on('websocket', (socket) => {
      const { life } = tab
      socket.on('framesent', ({ payload }) => {
        const { type, id, text } = JSON.parse(String(payload)) as Record<string, string>
        if (type !== 'post') return
        const sender = senders.get(id!)
        if (sender !== undefined && sender !== life && sender.isAlive) twice.push(text!)
        senders.set(id!, life)
      })
    })
    await tab.page.goto(url)
    return tab
  }
  return { open, ready, twice }
}

const call = {
  write: (page: Page, texts: string[]) => page.evaluate((texts) => (window as unknown as TestPage).write(texts), texts),
  list: (page: Page) => page.evaluate(() => (window as unknown as TestPage).list()),
  errors: (page: Page) => page.evaluate(() => (window as unknown as TestPage).errors)
}

/** Resolves when no posts are saved any more. */
async function sent (page: Page): Promise<void> {
  while ((await call.list(page)).length > 0) await new Promise((resolve) => setTimeout(resolve, 20))
}

async function crash (context: BrowserContext, { page }: Tab): Promise<void> {
  const crashed = page.waitForEvent('crash', { timeout: 90_000 })
  const session = await context.newCDPSession(page)
  session.send('Page.crash').catch(() => { /* the page can't answer */ })
  await crashed
  await page.close()
}

/** Ends the leases of the page that has ended. They would end after minutes. Runs in the page. */
async function endLeases (): Promise<void> {
  const opened = indexedDB.open('fastify-chat')
  await new Promise((resolve) => { opened.onsuccess = resolve })
  const transaction = opened.result.transaction('leases', 'readwrite')
  transaction.objectStore('leases').clear()
  await new Promise((resolve) => { transaction.oncomplete = resolve })
}

function takeDown (network: Proxy): void {
  network.target = undefined
  network.cut()
}

for (const isLease of [false, true]) {
  t.test(`${isLease ? 'with leases' : 'with Web Locks'}: a post is sent after a reload while the server is down`, { skip }, async (t) => {
    const { app, network, url, browser, texts } = await setUp(t)
    const target = network.target
    const context = await browser.newContext()
    if (isLease) await context.addInitScript(() => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }))
    const { open, ready } = tabs(context, url)
    const { page } = await open()
    await ready(page)
    t.equal(await page.evaluate(() => 'locks' in navigator && navigator.locks !== undefined), !isLease)
    network.silence()
    await call.write(page, ['in flight'])
    while (app.chat.stats().posts < 1) await new Promise((resolve) => setTimeout(resolve, 5))
    takeDown(network)
    await call.write(page, ['offline'])
    await page.reload()
    t.same((await call.list(page)).map(({ text }) => text), ['in flight', 'offline'])
    if (isLease) await page.evaluate(endLeases)
    network.target = target
    await ready(page)
    await sent(page)
    t.same(await texts(), ['in flight', 'offline'])
  })
}

t.test('a tab sends the posts of one that has crashed, and not those of a living one', { skip }, async (t) => {
  const { network, url, browser, texts } = await setUp(t)
  const target = network.target
  const context = await browser.newContext()
  const { open, ready, twice } = tabs(context, url)
  const [one, other] = [await open(), await open()]
  await Promise.all([ready(one.page), ready(other.page)])
  takeDown(network)
  await call.write(one.page, ['one'])
  await call.write(other.page, ['other'])
  network.target = target
  await sent(one.page)
  t.same((await texts()).sort(), ['one', 'other'])
  takeDown(network)
  await call.write(one.page, ['crashed'])
  await crash(context, one)
  network.target = target
  await sent(other.page)
  t.same((await texts()).sort(), ['crashed', 'one', 'other'])
  t.same(await other.page.evaluate(() => (window as unknown as TestPage).restored), ['crashed'])
  t.same(twice, [])
})

t.test('without IndexedDB, posts are sent, and one error is emitted', { skip }, async (t) => {
  const { url, browser, texts } = await setUp(t)
  const context = await browser.newContext()
  await context.addInitScript(() => Object.defineProperty(window, 'indexedDB', { value: undefined }))
  const { open, ready } = tabs(context, url)
  const { page } = await open()
  await ready(page)
  await call.write(page, ['a', 'b']).catch(() => { /* not saved */ })
  await page.waitForFunction(() => (window as unknown as TestPage).errors.length > 0)
  t.match(await call.errors(page), [/IndexedDB is not available/])
  while ((await texts()).length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  t.same(await texts(), ['a', 'b'])
  t.equal((await call.errors(page)).length, 1)
})

t.test('random reloads and crashes of two tabs neither lose nor duplicate a post', { skip }, async (t) => {
  const { app, network, url, browser, texts } = await setUp(t)
  const target = network.target
  const context = await browser.newContext()
  const { open, ready, twice } = tabs(context, url)
  const all = [await open(), await open()]
  const written: string[] = []
  const done = { reload: 0, close: 0, crash: 0, none: 0 }
  const random = (n: number) => Math.floor(Math.random() * n)
  for (let round = 0; round < ROUNDS; round++) {
    network.target = target
    await Promise.all(all.map(({ page }) => ready(page)))
    // Acknowledgements are lost, or the server is down, or all is well until the tab ends.
    const mode = ['silent', 'down', 'up'][random(3)]
    if (mode === 'silent') network.silence()
    if (mode === 'down') takeDown(network)
    for (const [at, { page }] of all.entries()) {
      const some = Array.from({ length: random(4) }, (_, i) => `${round} ${mode} tab ${at} post ${i}`)
      await call.write(page, some)
      written.push(...some)
    }
    if (mode === 'silent' && random(2) === 0) takeDown(network)
    for (const [at, tab] of all.entries()) {
      const end = (['reload', 'close', 'crash', 'none'] as const)[random(4)]!
      done[end]++
      if (end === 'none') continue
      if (end === 'crash') await crash(context, tab)
      if (end === 'close') await tab.page.close()
      if (end === 'reload') await tab.page.reload()
      else all[at] = await open()
    }
    takeDown(network)
    network.target = target
    await Promise.all(all.map(({ page }) => ready(page)))
    await sent(all[0]!.page)
  }
  const stored = await texts()
  const lost = written.filter((text) => !stored.includes(text))
  const doubled = stored.filter((text, i) => stored.indexOf(text) !== i)
  const errors = (await Promise.all(all.map(({ page }) => call.errors(page)))).flat()
  t.comment(`${ROUNDS} rounds, ${written.length} posts, ${JSON.stringify(done)}: lost ${lost.length}, doubled ${doubled.length}, sent by two tabs ${twice.length}`)
  t.same(lost, [])
  t.same(doubled, [])
  t.same(twice, [])
  t.same(errors, [])
  t.equal(stored.length, written.length)
  t.equal(app.chat.stats().posts, written.length)
})
