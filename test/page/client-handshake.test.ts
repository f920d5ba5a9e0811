import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import type { ChatClient, Status } from '../../src/client/index.ts'
import { build, listen } from '../support/app.ts'
import { openTab, skip } from '../support/chromium.ts'

/** The test's view of the page. */
interface AppWindow {
  readonly start: (url: string, options?: object) => void
  readonly client: ChatClient
  readonly seen: string[]
}

/** A page that records the errors and the statuses of its client. */
const html = `<!doctype html>
<meta charset="utf-8">
<script type="module">
  import { ChatClient } from '/demo/lib/client.js'

  globalThis.start = (url, options) => {
    globalThis.seen = []
    globalThis.client = new ChatClient(url, { minDelay: 1, maxDelay: 20, ...options })
    client.on('error', ({ code, message }) => seen.push(code + ' ' + message))
    client.on('status', ({ state, reason = '' }) => { if (state !== 'connecting') seen.push((state + ' ' + reason).trim()) })
  }
  globalThis.ready = true
</script>`

t.setTimeout(300_000)

t.test('the client in a browser', { skip }, async (t) => {
  const app = await build(t)
  app.get('/app', async (_request, reply) => await reply.type('text/html').send(html))
  app.get('/private', async (_request, reply) => await reply.code(401).send({ message: 'sign in first' }))
  app.get('/busy', async (_request, reply) => await reply.code(502).send())
  const port = await listen(app)
  const page = await openTab(t)
  await page.goto(`http://127.0.0.1:${port}/app`)
  const ready = () => page.waitForFunction(() => 'ready' in globalThis)
  await ready()

  await t.test('connects with a relative URL and with an http URL', async () => {
    await start(page, '/chat')
    await shows(page, 'online')
    await start(page, `http://127.0.0.1:${port}/chat`)
    await shows(page, 'online')
  })
  await t.test('ends with the status if its path has no chat, or refuses it', async (t) => {
    for (const [path, status] of [['/nowhere', 404], ['/private', 401]] as const) {
      await start(page, path)
      await shows(page, 'closed')
      const reason = `Unexpected server response: ${status}`
      t.strictSame(await seen(page), [`handshake ${reason}`, `closed ${reason}`])
    }
  })
  await t.test('retries after 502, and requests the URL by HTTP once', async (t) => {
    const requests = requestsOf(page, '/busy')
    await start(page, '/busy')
    await shows(page, 'waiting', 4)
    t.strictSame((await seen(page)).slice(0, 3), ['waiting Unexpected server response: 502', 'waiting the handshake failed', 'waiting the handshake failed'])
    t.equal(requests.length, 1)
  })
  await t.test('retries if a chat answers only HTTP, as behind a proxy without WebSockets', async (t) => {
    const { port } = await plainServer(t, (request, response) => {
      response.setHeader('access-control-allow-origin', request.headers.origin ?? '*')
      response.setHeader('access-control-allow-credentials', 'true')
      response.writeHead(426).end()
    })
    await start(page, `ws://127.0.0.1:${port}/chat`)
    await shows(page, 'waiting', 3)
    const [first, ...rest] = await seen(page)
    t.equal(first, 'handshake Unexpected server response: 426')
    t.notOk(rest.some((line) => line.startsWith('handshake')))
  })
  await t.test('retries where the page may not read the answer, and where there is no server', async (t) => {
    const { port, close } = await plainServer(t, (_request, response) => { response.writeHead(404).end() })
    await start(page, `ws://127.0.0.1:${port}/chat`)
    await shows(page, 'waiting', 2)
    close()
    await start(page, `ws://127.0.0.1:${port}/chat`)
    await shows(page, 'waiting', 2)
    t.notOk((await seen(page)).some((line) => line.startsWith('handshake')))
  })
  await t.test('is the same member after a reload with sessionStorage', async (t) => {
    const id = async () => {
      await page.evaluate(() => { (globalThis as unknown as AppWindow).start('/chat', { session: sessionStorage }) })
      await shows(page, 'online')
      return await page.evaluate(() => (globalThis as unknown as AppWindow).client.member!.id)
    }
    const first = await id()
    t.strictSame(await page.evaluate(() => Object.keys(sessionStorage)), [`fastify-chat ws://127.0.0.1:${port}/chat`])
    await page.reload()
    await ready()
    t.equal(await id(), first)
  })
})

/** Replaces the page's client. */
async function start (page: Page, url: string): Promise<void> {
  await page.evaluate((url) => {
    const { client, start } = globalThis as unknown as Partial<AppWindow>
    client?.close()
    start!(url)
  }, url)
}

/** Waits until the client had a state a number of times. */
async function shows (page: Page, state: Status['state'], times = 1): Promise<void> {
  await page.waitForFunction(([state, times]) => {
    return (globalThis as unknown as AppWindow).seen.filter((line) => line.startsWith(state)).length >= times
  }, [state, times] as const)
}

async function seen (page: Page): Promise<string[]> {
  return await page.evaluate(() => (globalThis as unknown as AppWindow).seen)
}

/** Returns the requests of the page by HTTP to a path, as they are made. */
function requestsOf (page: Page, path: string): string[] {
  const requests: string[] = []
  page.on('request', (request) => { if (request.url().endsWith(path) && request.resourceType() === 'fetch') requests.push(request.url()) })
  return requests
}

/** Starts an HTTP server without WebSockets. */
async function plainServer (t: Test, answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<{ port: number, close: () => void }> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  t.teardown(close)
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, close }
}
