import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { build, createServer, type InlineConfig } from 'vite'
import { clientProgram } from '../support/client-program.ts'
import { started } from '../support/program.ts'

const config = (root: string): InlineConfig => ({ root, configFile: false, logLevel: 'error' })

for (const noExternal of [false, true]) {
  t.test(`the client in a server bundle of Vite connects and posts, ${noExternal ? 'included' : 'external'}`, async (t) => {
    const { folder, file } = await clientProgram(t)
    await build({ ...config(folder), build: { ssr: file, outDir: 'out' }, ssr: noExternal ? { noExternal, external: ['ws'] } : {} })
    const output = await readFile(join(folder, 'out/main.js'), 'utf8')
    t.equal(output.includes('class ChatClient'), noExternal || !/from ["']fastify-chat/.test(output))
    t.match(await started(t, process.execPath, ['out/main.js'], { cwd: folder }).ended, { code: 0, output: /^posted$/m })
  })
}

t.test("Vite's server for development loads the client that uses ws", async (t) => {
  const { folder, file } = await clientProgram(t)
  await writeFile(file, "export { ChatClient } from 'fastify-chat/client'\nexport * as platform from '/node_modules/fastify-chat/dist/client/index.js'")
  const vite = await createServer({ ...config(folder), appType: 'custom', optimizeDeps: { noDiscovery: true }, server: { middlewareMode: true, watch: null, hmr: false } })
  t.teardown(() => vite.close())
  const { ChatClient, platform } = await vite.ssrLoadModule('/main.js') as { ChatClient: unknown, platform: { ChatClient: unknown } }
  t.not(ChatClient, platform.ChatClient)
})

t.test('a bundle of Vite for browsers has neither ws nor a second chunk', async (t) => {
  const { folder, file } = await clientProgram(t)
  await build({ ...config(folder), build: { outDir: 'out', lib: { entry: file, formats: ['es'], fileName: 'main' } } })
  t.same(await readdir(join(folder, 'out')), ['main.js'])
  const output = await readFile(join(folder, 'out/main.js'), 'utf8')
  t.notMatch(output, /\bimport\b|WebSocketServer/)
  const node = started(t, process.execPath, ['--experimental-websocket', 'out/main.js'], { cwd: folder })
  t.match(await node.ended, { code: 0, output: /^posted$/m })
})
