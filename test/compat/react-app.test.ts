import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { build as bundle, preview } from 'vite'
import { build, listen } from '../support/app.ts'
import { chatClient, nextEvent } from '../support/chat-client.ts'
import { complaintsOf, openTab, skip } from '../support/chromium.ts'
import { checkout } from '../support/packed.ts'
import { frameworkFolder } from './frameworks.ts'

const example = join(checkout, 'examples/react-app')
const { dependencies, devDependencies } = JSON.parse(readFileSync(join(example, 'package.json'), 'utf8')) as Record<string, Record<string, string>>

t.setTimeout(300_000)

t.test('the React example builds, and chats through the proxy of Vite', { skip }, async (t) => {
  const folder = frameworkFolder(t, Object.keys({ ...dependencies, ...devDependencies }).filter((name) => name !== 'fastify-chat'))
  const port = await listen(await build(t))
  cpSync(example, folder, { recursive: true, filter: (source) => !source.includes('node_modules') })
  const configFile = join(folder, 'vite.config.js')
  const config = readFileSync(configFile, 'utf8')
  t.match(config, 'localhost:3000')
  writeFileSync(configFile, config.replace('localhost:3000', `127.0.0.1:${port}`))
  await bundle({ root: folder, logLevel: 'error' })
  // Its proxy is that of the dev server.
  const server = await preview({ root: folder, logLevel: 'error', preview: { host: '127.0.0.1', port: 0 } })
  t.teardown(() => server.close())

  const room = await chatClient(t, port, { name: 'grace' }).join('tea')
  await room.post('Good morning.')
  const page = await openTab(t)
  const complaints = complaintsOf(page)
  await page.goto(`${new URL(server.resolvedUrls!.local[0]!).origin}/?room=tea&name=bob`)
  await page.getByText('online, 2 here').waitFor()
  await page.getByText('grace Good morning.').waitFor()
  const typing = nextEvent(room, 'typing')
  const message = nextEvent(room, 'message', ({ text }) => text === 'Hello.')
  await page.getByLabel('Message').fill('Hello.')
  t.match(await typing, { name: 'bob' })
  await page.getByRole('button', { name: 'Send' }).click()
  t.equal((await message).from?.name, 'bob')
  await page.getByRole('listitem').filter({ hasText: 'bob Hello.' }).getByRole('button', { name: 'Delete' }).click()
  await page.getByText('(deleted)').waitFor()
  room.typing()
  await page.getByText('grace is typing').waitFor()
  t.strictSame(complaints, [])
})
