import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build as bundle } from 'esbuild'
import t from 'tap'
import { build, listen } from '../support/app.ts'
import { chatClient } from '../support/chat-client.ts'
import { complaintsOf, openTab, skip } from '../support/chromium.ts'
import '../support/compiled.ts'
import { blocksOf } from '../support/markdown.ts'
import { checkout, run } from '../support/packed.ts'

/** Inside the checkout, so that 'fastify-chat' resolves to its compiled files. */
const folder = t.testdir()
const blocks = (info: string) => blocksOf('docs/REACT.md').filter((block) => block.info === info).map(({ source }) => source)

t.test('REACT.md: the program shows a room, and posts', { skip }, async (t) => {
  const [contents = ''] = blocks('jsx')
  const { outputFiles: [program] } = await bundle({
    stdin: { contents, resolveDir: folder, loader: 'jsx' }, bundle: true, write: false, format: 'esm', jsx: 'automatic', logLevel: 'error'
  })
  const app = await build(t)
  app.get('/', async (_request, reply) => await reply.type('text/html').send('<link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/app.js"></script>'))
  app.get('/app.js', async (_request, reply) => await reply.type('text/javascript').send(program!.text))
  const port = await listen(app)
  const room = await chatClient(t, port, { name: 'grace' }).join('tea')
  await room.post('Good morning.')
  const page = await openTab(t)
  const complaints = complaintsOf(page)
  await page.goto(`http://127.0.0.1:${port}/`)
  await page.getByText('grace: Good morning.').waitFor()
  await page.locator('input').fill('Hello.')
  await page.locator('input').press('Enter')
  await page.getByText('ada: Hello.').waitFor()
  t.equal(await page.getByText('online', { exact: true }).count(), 1)
  t.strictSame(complaints, [])
})

t.test("REACT.md: the components compile with the package's types", async (t) => {
  const types = join(folder, 'types')
  mkdirSync(types)
  const files = blocks('tsx').map((source, at) => {
    writeFileSync(join(types, `${at}.tsx`), source)
    return `${at}.tsx`
  })
  t.equal(files.length, 1)
  const options = '--noEmit --strict --skipLibCheck --target es2022 --module nodenext --jsx react-jsx --lib es2023,dom --types react'
  const { stdout } = await run(types, process.execPath, [join(checkout, 'node_modules/typescript/bin/tsc'), ...options.split(' '), ...files])
  t.equal(stdout, '')
})
