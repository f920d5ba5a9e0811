import fastifyStatic from '@fastify/static'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import type { Test } from 'tap'
import { memory } from '../../src/index.ts'
import type { SavedPost } from '../../src/client/index.ts'
import { bare, listen } from '../support/app.ts'
import { chat } from '../support/chat-app.ts'
import { dist } from '../support/compiled.ts'
import { eventually } from '../support/eventually.ts'
import { proxy, type Proxy } from '../support/proxy.ts'

/** What a test page offers. */
export interface TestPage {
  /** Makes posts without waiting for their outcome. Resolves when they are saved. */
  write (texts: string[]): Promise<void>
  /** Makes a post, and closes the client at once. */
  writeAndClose (text: string): void
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
    window.writeAndClose = (text) => {
      room.post(text).catch(() => {})
      client.close()
    }
    window.write = async (texts) => {
      saved.clear()
      for (const text of texts) room.post(text).catch((error) => window.errors.push(String(error)))
      await new Promise((resolve) => setTimeout(resolve))
      await Promise.all(saved.values())
    }
  })
</script>`

/** life: of the document that the tab shows; a reload begins another one */
export interface Tab { readonly page: Page, life: { isAlive: boolean } }

/** Starts a chat, a site with the test page, and a browser context. */
export async function setUp (t: Test, browser: Browser) {
  const authenticate = () => ({ id: 'ada', name: 'ada' })
  const { app, port } = await chat(t, { backend: memory({ historyEntries: 100_000 }), origins: true, authenticate })
  const network = await proxy(t, port)
  const site = bare(t)
  await site.register(fastifyStatic, { root: dist, prefix: '/lib/' })
  site.get('/', (_request, reply) => reply.type('text/html').send(html(network.port)))
  const url = `http://127.0.0.1:${await listen(site)}/`
  const context = await browser.newContext()
  t.teardown(() => context.close())
  const texts = async () => (await app.chat.history('lobby', { limit: 100_000 })).entries.map(({ text }) => text ?? '')
  return { app, network, url, context, texts }
}

/** Opens tabs of one context, and records which tab sends which post. A post that two living tabs send is in `twice`. */
export function tabs (context: BrowserContext, url: string) {
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

export const call = {
  write: (page: Page, texts: string[]) => page.evaluate((texts) => (window as unknown as TestPage).write(texts), texts),
  list: (page: Page) => page.evaluate(() => (window as unknown as TestPage).list()),
  errors: (page: Page) => page.evaluate(() => (window as unknown as TestPage).errors)
}

/** Resolves when no posts are saved any more. */
export async function sent (page: Page): Promise<void> {
  await eventually(async () => (await call.list(page)).length === 0)
}

export async function crash (context: BrowserContext, { page }: Tab): Promise<void> {
  const crashed = page.waitForEvent('crash', { timeout: 90_000 })
  const session = await context.newCDPSession(page)
  session.send('Page.crash').catch(() => { /* the page can't answer */ })
  await crashed
  await page.close()
}

export function takeDown (network: Proxy): void {
  network.target = undefined
  network.cut()
}
