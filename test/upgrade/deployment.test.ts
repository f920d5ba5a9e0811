import { readFileSync } from 'node:fs'
import { request, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import fastifyChat, { type FastifyChatOptions } from '../../src/index.ts'
import { bare, listen } from '../support/app.ts'
import { nginx, skip } from '../support/nginx-server.ts'
import { open, refused } from '../support/websocket-client.ts'

const document = readFileSync(new URL('../../docs/DEPLOYMENT.md', import.meta.url), 'utf8')
const [http = '', server = ''] = [...document.matchAll(/^```nginx\n([^]*?)^```$/gm)].map(([, block]) => block!)
const trustProxy = /trustProxy: '([^']+)'/.exec(document)?.[1] ?? ''
const upstream = '127.0.0.1:3000'

const [ada, grace, mallory] = ['127.0.0.2', '127.0.0.3', '127.0.0.4']

/** Starts the app behind nginx, with the configuration of the document and another port. */
async function deploy (t: Test, options: FastifyChatOptions) {
  const app = bare(t, { trustProxy })
  app.get('/who', async ({ ip, ips, host, protocol }) => ({ ip, ips, host, protocol }))
  await app.register(fastifyChat, options)
  const port = await nginx(t, { http, server: server.replace(upstream, `127.0.0.1:${await listen(app)}`) })
  const url = `ws://127.0.0.1:${port}/chat`
  const headers = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' }
  return {
    app,
    port,
    /** Connects from a loopback address, with spoofed headers. */
    from: (localAddress: string) => open(t, url, { localAddress, headers }),
    refusedFrom: (localAddress: string) => refused(url, { localAddress, headers }),
    async get (path: string, localAddress: string) {
      const [response] = await once(request({ host: '127.0.0.1', port, path, localAddress, headers }).end(), 'response') as [IncomingMessage]
      return { status: response.statusCode, body: await text(response) }
    }
  }
}

t.test('the document has one configuration in two parts, and names the trusted proxy', async (t) => {
  t.equal([...document.matchAll(/^```nginx$/gm)].length, 2)
  t.match(server, `proxy_pass http://${upstream};`)
  t.equal(trustProxy, '127.0.0.1')
})

t.test('behind nginx', { skip }, async (t) => {
  t.test('WebSocket upgrades, pages of the same host and plain requests pass', async (t) => {
    const { port, from, get } = await deploy(t, {})
    const [one, other] = [await from(ada), await from(grace)]
    for (const { next } of [one, other]) t.equal(await next(), 'connected to WebSocket server')
    one.socket.send('I have joined')
    t.equal(await one.next(), 'I have joined')
    other.socket.send('hello')
    t.equal(await one.next(), 'hello')
    const page = await open(t, `ws://127.0.0.1:${port}/echo`, { origin: `http://127.0.0.1:${port}` })
    page.socket.send('of the same host')
    t.equal(await page.next(), 'of the same host')
    t.match(await refused(`ws://127.0.0.1:${port}/echo`, { origin: 'http://evil.example' }), { status: 403 })
    t.match(await refused(`ws://127.0.0.1:${port}/echo`, { origin: 'http://evil.example', headers: { 'x-forwarded-host': 'evil.example' } }),
      { status: 403 }, 'a client can not set X-Forwarded-Host')
    t.match(await get('/demo/', ada), { status: 200, body: /main\.js/ })
    t.match(await get('/chat', ada), { status: 426 })
  })

  t.test("request.ip is the client's address, and spoofed headers are discarded", async (t) => {
    const { port, get } = await deploy(t, {})
    t.strictSame(JSON.parse((await get('/who', ada)).body), {
      ip: ada, ips: ['127.0.0.1', ada], host: `127.0.0.1:${port}`, protocol: 'http'
    })
  })

  t.test('connectionsPerAddress counts each client address', async (t) => {
    const { app, from, refusedFrom } = await deploy(t, { limits: { connectionsPerAddress: 2 } })
    for (const visitor of [ada, ada, grace, grace]) await (await from(visitor)).next()
    for (const visitor of [ada, grace]) t.match(await refusedFrom(visitor), { status: 429, body: /FST_CHAT_TOO_MANY_FROM_ADDRESS/ })
    t.equal(await (await from(mallory)).next(), 'connected to WebSocket server')
    t.strictSame(app.lines.filter(({ msg }) => msg.includes('trustProxy')), [], 'no warning is logged')
  })

  t.test('a ban by address closes and refuses one address only', async (t) => {
    const { app, from } = await deploy(t, {})
    const [banned, other] = [await from(mallory), await from(ada)]
    for (const { socket, next } of [other, banned]) {
      await next()
      socket.send('I have joined')
      t.equal(await other.next(), 'I have joined')
    }
    await app.chat.ban({ address: mallory }, { duration: 3_600_000, reason: 'out' })
    t.strictSame(await banned.closed, { code: 4403, reason: 'out' })
    t.strictSame(await (await from(mallory)).closed, { code: 4403, reason: 'out' }, 'also when it reconnects')
    other.socket.send('still here')
    t.equal(await other.next(), 'still here')
  })
})
