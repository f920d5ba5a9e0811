import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import type { ChatClient, ChatClientOptions } from '../../src/client/index.ts'
import fastifyChat from '../../src/index.ts'
import { bare, listen } from '../support/app.ts'
import { launchPlain, skip } from '../support/chromium.ts'
import { proxy } from '../support/proxy.ts'

/** The globals of the page that the test reads. The lists are oldest first. */
interface AppWindow {
  readonly client: ChatClient
  /** States of the client, with the reason in place of `waiting`. */
  readonly states: string[]
  /** Texts of the posts that were acknowledged. */
  readonly stored: string[]
  /** Events of the page that the test waits for. */
  readonly seen: string[]
  post (text: string): void
}

/** A page with a client in a room. The query of its URL has the port of the chat, and the options of the client as JSON. */
const html = `<!doctype html>
<meta charset="utf-8">
<script type="module">
  import { ChatClient } from '/demo/lib/client.js'

  Object.assign(globalThis, { states: [], stored: [], seen: [] })
  document.addEventListener('visibilitychange', () => seen.push(document.visibilityState))
  document.addEventListener('freeze', () => seen.push('frozen'))
  addEventListener('pageshow', ({ persisted }) => seen.push(persisted ? 'restored' : 'loaded'))
  const query = new URLSearchParams(location.search)
  globalThis.client = new ChatClient('ws://127.0.0.1:' + query.get('port') + '/chat', JSON.parse(query.get('options')))
  client.on('status', ({ state, reason }) => states.push(state === 'waiting' ? 'waiting: ' + reason : state))
  const room = await client.join('lobby')
  globalThis.post = (text) => { room.post(text).then(() => stored.push(text)) }
</script>`

const workerHtml = `<!doctype html>
<meta charset="utf-8">
<script type="module">
  globalThis.states = []
  const worker = new Worker('/worker.js', { type: 'module' })
  worker.onmessage = ({ data }) => states.push(data)
  globalThis.dispatch = (event) => worker.postMessage(event)
</script>`

/** A worker with a client. It reports the states of the client, and dispatches the events that it receives. */
const workerScript = `
import { ChatClient } from '/demo/lib/client.js'

const client = new ChatClient('ws://' + location.host + '/chat', { minDelay: 1, maxDelay: 1e9 })
client.on('status', ({ state, reason }) => postMessage(state === 'waiting' ? 'waiting: ' + reason : state))
onmessage = ({ data }) => dispatchEvent(new Event(data))
`

// Hidden pages have no animation frames, with which Playwright polls otherwise.
const poll = { polling: 50 }

/** Twelve days in ms: only an event makes a client with this heartbeat and these delays check its connection or reconnect. */
const FOREVER = 1e9

t.setTimeout(300_000)

const context = skip === false ? await launchPlain(t) : undefined

/** Opens the page, with a client that never checks its connection by itself. Resolves when the client has joined its room. */
async function open (t: Test, options: ChatClientOptions = {}) {
  // The browser keeps sockets that it opened in advance. Node doesn't regard them as idle before their first request.
  const app = bare(t, { forceCloseConnections: true })
  await app.register(fastifyChat, { origins: true })
  const files = { app: html, other: '<!doctype html><title>other</title>', worker: workerHtml }
  for (const [name, file] of Object.entries(files)) app.get(`/${name}`, async (_request, reply) => await reply.type('text/html').send(file))
  app.get('/worker.js', async (_request, reply) => await reply.type('text/javascript').send(workerScript))
  const port = await listen(app)
  const network = await proxy(t, port)
  const page = await context!.newPage()
  t.teardown(async () => {
    await context!.setOffline(false)
    await page.close()
  })
  await page.bringToFront()
  page.setDefaultTimeout(90_000)
  page.on('pageerror', (error) => t.fail(String(error)))

  const all = { minDelay: 1, maxDelay: FOREVER, heartbeat: FOREVER, connectTimeout: FOREVER, ...options }
  const url = `http://127.0.0.1:${port}`
  await page.goto(`${url}/app?${new URLSearchParams({ port: String(network.port), options: JSON.stringify(all) })}`)
  await page.waitForFunction(() => 'post' in globalThis)

  /** Resolves when the list has the item, and removes the items up to it. */
  const next = async (list: 'states' | 'stored' | 'seen', item: string) => await page.waitForFunction(([list, item]) => {
    const items = (globalThis as unknown as AppWindow)[list]
    return items.splice(0, items.indexOf(item) + 1).length > 0
  }, [list, item] as const, poll)
  const post = async (text: string) => await page.evaluate((text) => { (globalThis as unknown as AppWindow).post(text) }, text)
  await next('states', 'online')

  return {
    url,
    port,
    network,
    page,
    next,
    post,
    devtools: await context!.newCDPSession(page),
    /** Opens another tab, which hides the page. */
    async hide () {
      const other = await context!.newPage()
      t.teardown(() => other.close())
      await other.bringToFront()
      await next('seen', 'hidden')
    },
    status: async () => await page.evaluate(() => (globalThis as unknown as AppWindow).client.status),
    dispatch: async (event: string) => await page.evaluate((event) => { window.dispatchEvent(new Event(event)) }, event),
    /** Sends a post, and stops the network before its acknowledgement: neither side detects it. Resolves when the post is stored. */
    async postInDoubt () {
      const stored = new Promise((resolve) => { app.chat.subscribe('lobby', resolve).catch(t.error) })
      network.silence()
      await post('in doubt')
      await stored
      network.freeze()
    },
    /** Breaks the connection, and refuses new ones until `network.target` is set. */
    async cut () {
      network.target = undefined
      network.cut()
      await next('states', 'waiting: ')
    },
    /** Resolves when the client is online again and all posts are acknowledged. Checks that each is stored once. */
    async back (...texts: string[]) {
      await next('states', 'online')
      await page.waitForFunction((count) => (globalThis as unknown as AppWindow).stored.length === count, texts.length, poll)
      t.strictSame((await app.chat.history('lobby')).entries.map(({ text }) => text), texts)
    }
  }
}

t.test('a lost network is reported at once, and the client is back when the network is', { skip }, async (t) => {
  const { next, status, post, postInDoubt, back } = await open(t)
  await postInDoubt()
  await context!.setOffline(true)
  await next('states', 'waiting: offline')
  t.match(await status(), { code: 1006, retryIn: FOREVER })
  await post('offline')
  await context!.setOffline(false)
  await back('in doubt', 'offline')
})

t.test('the wait after the network is back is random', { skip }, async (t) => {
  const { page, next, status } = await open(t, { minDelay: FOREVER })
  await page.evaluate(() => { Math.random = () => 0.25 })
  await context!.setOffline(true)
  await next('states', 'waiting: offline')
  await context!.setOffline(false)
  await next('states', 'waiting: online')
  t.match(await status(), { retryIn: FOREVER / 4 })
})

t.test('an attempt that has begun on another network is replaced', { skip }, async (t) => {
  const { page, port, network, next, post, dispatch, cut, back } = await open(t)
  const mute = createServer()
  t.teardown(() => mute.close())
  await once(mute.listen(0, '127.0.0.1'), 'listening')
  await cut()
  network.target = (mute.address() as AddressInfo).port
  const attempt = once(mute, 'connection')
  await page.evaluate(() => (globalThis as unknown as AppWindow).client.reconnect())
  await attempt
  await post('meanwhile')
  network.target = port
  await dispatch('online')
  await next('states', 'waiting: online')
  await back('meanwhile')
})

t.test('a dead connection is found when the network has changed', { skip }, async (t) => {
  const { next, post, dispatch, postInDoubt, back } = await open(t)
  await postInDoubt()
  await dispatch('online')
  await post('meanwhile')
  await next('states', 'waiting: no answer to a ping')
  await back('in doubt', 'meanwhile')
})

t.test('a tab that is shown again', { skip }, async (t) => {
  await t.test('reconnects if it waits', async (t) => {
    const { page, port, network, post, hide, cut, back } = await open(t, { minDelay: FOREVER })
    await cut()
    await hide()
    await post('meanwhile')
    network.target = port
    await page.bringToFront()
    await back('meanwhile')
  })
  await t.test('checks its connection', async (t) => {
    const { page, next, hide, postInDoubt, back } = await open(t)
    await postInDoubt()
    await hide()
    await page.bringToFront()
    await next('states', 'waiting: no answer to a ping')
    await back('in doubt')
  })
  await t.test('keeps a connection that answers', async (t) => {
    const { page, network, next, hide, post, back } = await open(t)
    await hide()
    await page.bringToFront()
    await next('seen', 'visible')
    await page.evaluate(async () => await (globalThis as unknown as AppWindow).client.ping())
    t.strictSame(await page.evaluate(() => (globalThis as unknown as AppWindow).states), [])
    network.cut()
    await post('after')
    await back('after')
  })
})

t.test('a page in the back/forward cache has no connection, and reconnects when it is restored', { skip }, async (t) => {
  const { url, devtools, next, post, page, postInDoubt, back } = await open(t)
  await postInDoubt()
  await post('not sent')
  await page.goto(`${url}/other`)
  const { entries, currentIndex } = await devtools.send('Page.getNavigationHistory')
  await devtools.send('Page.navigateToHistoryEntry', { entryId: entries[currentIndex - 1]!.id })
  await next('seen', 'restored')
  await next('states', 'waiting: pagehide')
  await back('in doubt', 'not sent')
})

t.test('a page that was frozen', { skip }, async (t) => {
  const thaw = async ({ devtools, next }: Awaited<ReturnType<typeof open>>) => {
    await devtools.send('Page.setWebLifecycleState', { state: 'active' })
    await next('seen', 'frozen')
  }
  await t.test('reconnects if it waits', async (t) => {
    const chat = await open(t, { minDelay: FOREVER })
    await chat.cut()
    await chat.post('meanwhile')
    await chat.devtools.send('Page.setWebLifecycleState', { state: 'frozen' })
    chat.network.target = chat.port
    await thaw(chat)
    await chat.back('meanwhile')
  })
  await t.test('replaces a dead connection', async (t) => {
    const chat = await open(t)
    await chat.postInDoubt()
    await chat.devtools.send('Page.setWebLifecycleState', { state: 'frozen' })
    await thaw(chat)
    await chat.back('in doubt')
  })
})

t.test('a closed client has no listeners', { skip }, async (t) => {
  const { page, devtools, next } = await open(t)
  const listeners = async () => {
    const { result } = await devtools.send('Runtime.evaluate', { expression: 'window' })
    const found = await devtools.send('DOMDebugger.getEventListeners', { objectId: result.objectId! })
    return found.listeners.map(({ type }) => type).filter((type) => events.includes(type)).sort()
  }
  const events = ['offline', 'online', 'pagehide', 'pageshow', 'resume', 'visibilitychange']
  t.strictSame(await listeners(), [...events, 'pageshow'].sort(), 'one for each event, and one of the page')
  await page.evaluate(() => (globalThis as unknown as AppWindow).client.close())
  await next('states', 'closed')
  t.strictSame(await listeners(), ['pageshow'])
})

t.test('a client in a worker handles the events of the worker', { skip }, async (t) => {
  const { url, page, next } = await open(t)
  await page.goto(`${url}/worker`)
  const dispatch = async (event: string) => await page.evaluate((event) => { (globalThis as unknown as { dispatch: (event: string) => void }).dispatch(event) }, event)
  await next('states', 'online')
  await dispatch('offline')
  await next('states', 'waiting: offline')
  await dispatch('online')
  await next('states', 'online')
})
