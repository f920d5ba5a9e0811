import { request, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import fastifyChat, { type FastifyChatOptions } from '../../src/index.ts'
import { bare, listen } from '../support/app.ts'
import { directory } from '../support/directory.ts'
import { haproxy, skip as skipHaproxy } from '../support/haproxy-server.ts'
import { blocksOf, read } from '../support/markdown.ts'
import { nginx, skip as skipNginx } from '../support/nginx-server.ts'
import { open, refused } from '../support/websocket-client.ts'

const file = 'docs/DEPLOYMENT.md'
const configurations = (info: string) => blocksOf(file).filter((block) => block.info === info).map(({ source }) => source)
const [http = '', server = ''] = configurations('nginx')
const [haproxyConfiguration = ''] = configurations('haproxy')
const trustProxy = /trustProxy: '([^']+)'/.exec(read(file))?.[1] ?? ''
const upstream = '127.0.0.1:3000'

/** Starts a proxy in front of an app with the configuration of the document and other ports. Resolves with the proxy's port. */
type StartProxy = (t: Test, appPort: number) => Promise<number>

const proxies: Record<string, { skip: string | false, start: StartProxy }> = {
  nginx: {
    skip: skipNginx,
    start: (t, appPort) => nginx(t, { http, server: server.replace(upstream, `127.0.0.1:${appPort}`) })
  },
  haproxy: {
    skip: skipHaproxy,
    start: (t, appPort) => haproxy(t, haproxyConfiguration.replace(upstream, `127.0.0.1:${appPort}`))
  }
}

const [ada, grace, mallory] = ['127.0.0.2', '127.0.0.3', '127.0.0.4']

/** Starts the app behind a proxy. */
async function deploy (t: Test, start: StartProxy, options: FastifyChatOptions) {
  const app = bare(t, { trustProxy })
  app.get('/who', async ({ ip, ips, host, protocol }) => ({ ip, ips, host, protocol }))
  await app.register(fastifyChat, options)
  const port = await start(t, await listen(app))
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

t.test('the document has a configuration for each proxy, and names the trusted proxy', async (t) => {
  t.equal(configurations('nginx').length, 2)
  t.match(server, `proxy_pass http://${upstream};`)
  t.equal(configurations('haproxy').length, 1)
  t.match(haproxyConfiguration, `server app1 ${upstream}`)
  t.match(haproxyConfiguration, 'bind :80')
  t.equal(trustProxy, '127.0.0.1')
})

t.test('behind nginx on a Unix socket, request.ip is the address of the client', { skip: skipNginx }, async (t) => {
  const app = bare(t, { trustProxy: (_address, hop) => hop === 0 })
  await app.register(fastifyChat, { limits: { connectionsPerAddress: 1 } })
  const path = join(directory(t), 'app.sock')
  await app.listen({ path })
  t.match(read(file), 'proxy_pass http://unix:/run/app.sock:;')
  t.match(read(file), '| `(_address, hop) => hop === 0` |')
  const url = `ws://127.0.0.1:${await nginx(t, { http, server: server.replace(`http://${upstream}`, `http://unix:${path}:`) })}/chat`
  const headers = { 'x-forwarded-for': '203.0.113.9' }
  for (const localAddress of [ada, grace]) {
    await open(t, url, { localAddress, headers })
    t.match(await refused(url, { localAddress, headers }), { status: 429 })
  }
  t.notOk(app.lines.some(({ msg }) => msg.includes('trustProxy')), 'no warning is logged')
})

for (const [name, { skip, start }] of Object.entries(proxies)) {
  t.test(`behind ${name}`, { skip }, async (t) => {
    t.test('WebSocket upgrades, pages of the same host and plain requests pass', async (t) => {
      const { port, from, get } = await deploy(t, start, {})
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
      const { port, get } = await deploy(t, start, {})
      t.strictSame(JSON.parse((await get('/who', ada)).body), {
        ip: ada, ips: ['127.0.0.1', ada], host: `127.0.0.1:${port}`, protocol: 'http'
      })
    })

    t.test('connectionsPerAddress counts each client address', async (t) => {
      const { app, from, refusedFrom } = await deploy(t, start, { limits: { connectionsPerAddress: 2 } })
      for (const visitor of [ada, ada, grace, grace]) await (await from(visitor)).next()
      for (const visitor of [ada, grace]) t.match(await refusedFrom(visitor), { status: 429, body: /FST_CHAT_TOO_MANY_FROM_ADDRESS/ })
      t.equal(await (await from(mallory)).next(), 'connected to WebSocket server')
      t.strictSame(app.lines.filter(({ msg }) => msg.includes('trustProxy')), [], 'no warning is logged')
    })

    t.test('a ban by address closes and refuses one address only', async (t) => {
      const { app, from } = await deploy(t, start, {})
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
}
