import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createServer } from 'vite'
import { build, listen } from '../support/app.ts'
import { directory } from '../support/directory.ts'
import { blocksOf } from '../support/markdown.ts'
import { open } from '../support/websocket-client.ts'

t.test("the configuration of DEPLOYMENT.md: a page of Vite's dev server connects to the chat", async (t) => {
  const [config] = blocksOf('docs/DEPLOYMENT.md').filter(({ heading }) => heading === "Vite's dev server")
  const root = directory(t)
  const configFile = join(root, 'vite.config.mjs')
  writeFileSync(configFile, config!.source.replace('localhost:3000', `127.0.0.1:${await listen(await build(t))}`))
  const vite = await createServer({ root, configFile, logLevel: 'error', optimizeDeps: { noDiscovery: true }, server: { host: '127.0.0.1', port: 0 } })
  t.teardown(() => vite.close())
  await vite.listen()
  const [url = ''] = vite.resolvedUrls?.local ?? []
  const { socket, next } = await open(t, `${url.replace('http', 'ws')}chat`, { origin: new URL(url).origin })
  t.equal(await next(), 'connected to WebSocket server')
  socket.send('Good morning.')
  t.equal(await next(), 'Good morning.')
})
