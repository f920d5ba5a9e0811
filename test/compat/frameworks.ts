import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import type { Test } from 'tap'
import { build as bundle, type InlineConfig, type Plugin } from 'vite'
import { build, listen, type App } from '../support/app.ts'
import { complaintsOf, openTab } from '../support/chromium.ts'
import { directory } from '../support/directory.ts'
import { blocksOf } from '../support/markdown.ts'
import { checkout } from '../support/packed.ts'
import { presenceLog, type PresenceLog } from '../support/presence-log.ts'

const modules = fileURLToPath(new URL('node_modules', import.meta.url))

/** Creates a folder with packages of test/compat and this one installed, as links. */
export function frameworkFolder (t: Test, packages: readonly string[]): string {
  const folder = directory(t)
  for (const name of packages) {
    mkdirSync(join(folder, 'node_modules', name, '..'), { recursive: true })
    symlinkSync(join(modules, name), join(folder, 'node_modules', name))
  }
  symlinkSync(checkout, join(folder, 'node_modules/fastify-chat'))
  return folder
}

/** Returns the only block of CLIENT.md in this language that has this text. */
export function recipe (info: string, text: string): string {
  const found = blocksOf('docs/CLIENT.md').filter((block) => block.info === info && block.source.includes(text))
  if (found.length !== 1) throw new Error(`docs/CLIENT.md has ${found.length} blocks of ${info} with '${text}'`)
  return found[0]!.source
}

interface FrameworkApp {
  readonly app: App
  readonly page: Page
  readonly presence: PresenceLog
  /** Errors and warnings of the page. */
  readonly complaints: readonly string[]
}

/** Builds a program with Vite, and opens it in a browser on the page of a chat. @param files by name; main.ts is the program */
export async function frameworkApp (t: Test, framework: string, files: Record<string, string>, plugins: Plugin[]): Promise<FrameworkApp> {
  const folder = frameworkFolder(t, [framework])
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  for (const [name, source] of Object.entries(files)) writeFileSync(join(folder, name), source)
  const config: InlineConfig = { root: folder, configFile: false, logLevel: 'error', plugins, mode: 'development' }
  await bundle({ ...config, build: { outDir: 'out', minify: false, lib: { entry: 'main.ts', formats: ['es'], fileName: 'main' } }, define: { 'process.env.NODE_ENV': '"development"' } })

  const presence = presenceLog()
  const app = await build(t, presence.hooks)
  app.get('/', async (_request, reply) => await reply.type('text/html').send('<link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/main.js"></script>'))
  app.get('/main.js', async (_request, reply) => await reply.type('text/javascript').send(readFileSync(join(folder, 'out/main.js'), 'utf8')))
  const port = await listen(app)
  const page = await openTab(t)
  const complaints = complaintsOf(page)
  await page.goto(`http://127.0.0.1:${port}/`)
  return { app, page, presence, complaints }
}

/**
 * Checks that a component shows the room tea to ada, posts, and leaves the room. The program MUST show the component, and set the global
 * `show`, which shows or removes it and returns a promise.
 */
export async function showsRoom (t: Test, { app, page, presence, complaints }: FrameworkApp): Promise<void> {
  await page.getByRole('button', { disabled: false }).waitFor()
  await app.chat.publish('tea', { text: 'hello', from: { id: 'g', name: 'grace' } })
  await page.getByText('grace: hello').waitFor()
  await page.getByRole('button').click()
  await page.getByText('ada: Good morning.').waitFor()

  const { members: [ada] } = await app.chat.members('tea')
  await app.chat.removeMember('tea', ada!.id, { reason: 'no advertising' })
  await page.getByText('no advertising').waitFor()
  const show = (on: boolean) => page.evaluate(async (on) => await (globalThis as unknown as { show (on: boolean): Promise<void> }).show(on), on)
  await show(false)
  await show(true)
  await page.getByText('ada: Good morning.').waitFor()
  await show(false)
  await presence.recorded('ada leaves tea', 2)
  t.strictSame(presence.lines, ['ada joins tea', 'ada leaves tea', 'ada joins tea', 'ada leaves tea'])
  t.strictSame(complaints, [])
}
