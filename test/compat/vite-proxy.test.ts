import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createServer } from 'vite'
import { build, listen, logged } from '../support/app.ts'
import { directory } from '../support/directory.ts'
import { freePort } from '../support/free-port.ts'
import { blocksOf } from '../support/markdown.ts'
import { open, refused } from '../support/websocket-client.ts'

/** Starts Vite's dev server with a configuration. Resolves with the origin of its pages, and the URL of the chat behind it. */
async function startVite (t: Test, config: string, port = 0): Promise<{ origin: string, url: string }> {
  const root = directory(t)
  const configFile = join(root, 'vite.config.mjs')
  writeFileSync(configFile, config)
  const vite = await createServer({ root, configFile, logLevel: 'error', optimizeDeps: { noDiscovery: true }, server: { host: '127.0.0.1', port } })
  t.teardown(() => vite.close())
  await vite.listen()
  const { origin } = new URL(vite.resolvedUrls!.local[0]!)
  return { origin, url: `${origin.replace('http', 'ws')}/chat` }
}

t.test("the configuration of DEPLOYMENT.md: a page of Vite's dev server connects to the chat", async (t) => {
  const [config] = blocksOf('docs/DEPLOYMENT.md').filter(({ heading }) => heading === "Vite's dev server")
  const port = await listen(await build(t))
  const { origin, url } = await startVite(t, config!.source.replace('localhost:3000', `127.0.0.1:${port}`))
  const { socket, next } = await open(t, url, { origin })
  t.equal(await next(), 'connected to WebSocket server')
  socket.send('Good morning.')
  t.equal(await next(), 'Good morning.')
})

t.test('a proxy with changeOrigin: the refusal names the option, and the option allows the page', async (t) => {
  const vitePort = await freePort()
  const pages = `http://127.0.0.1:${vitePort}`
  const [app, allowing] = [await build(t), await build(t, { origins: [pages] })]
  const ports = [await listen(app), await listen(allowing)]
  const proxies = ports.map((port, i) => `'^/${i}/': { target: 'http://127.0.0.1:${port}', ws: true, changeOrigin: true, rewrite: (path) => path.slice(2) }`)
  const { origin, url } = await startVite(t, `export default { server: { proxy: { ${proxies.join()} } } }`, vitePort)
  t.equal(origin, pages)
  const [refusing, allowed] = [0, 1].map((i) => url.replace('/chat', `/${i}/chat`))
  t.match(await refused(refusing!, { origin }), { status: 403 })
  const { message } = await logged(app, 'refused')
  t.equal(message, `connections from the origin '${origin}' to the host '127.0.0.1:${ports[0]}' are not allowed: ` +
    "allow the origin in the option 'origins', or let the proxy keep the Host header")
  const { next } = await open(t, allowed!, { origin })
  t.equal(await next(), 'connected to WebSocket server')
})
