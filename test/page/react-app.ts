import { writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build as bundle, type BuildOptions } from 'esbuild'
import type { Browser, Page, WebSocket } from 'playwright-core'
import root, { type Test } from 'tap'
import type { FastifyChatOptions } from '../../src/index.ts'
import { build, listen, type App } from '../support/app.ts'
import { complaintsOf, launch, networkErrors } from '../support/chromium.ts'
import { escapePattern } from '../support/escape-pattern.ts'
import { checkout } from '../support/packed.ts'
import { presenceLog, type PresenceLog } from '../support/presence-log.ts'
import { proxy, type Proxy } from '../support/proxy.ts'
import type { ReactPage, Tree } from './react-tree.ts'

/** What a test evaluates in the page. */
export type PageWindow = { readonly page: ReactPage }

/** An app whose page runs react-page.ts in a browser. */
export interface ReactApp {
  readonly app: App
  readonly page: Page
  readonly network: Proxy
  readonly port: number
  /** The joins and leaves of the members, in order, such as 'ada joins tea'. */
  readonly presence: readonly string[]
  /** The WebSockets that the page has opened. */
  readonly sockets: readonly WebSocket[]
  /** Errors and warnings of the page, of React included. */
  readonly complaints: readonly string[]
  render (tree: Tree): Promise<void>
  unmount (): Promise<void>
  /** Resolves when a component shows this text. */
  shows (id: string, text: string | RegExp): Promise<void>
  readonly recorded: PresenceLog['recorded']
}

const folder = dirname(fileURLToPath(import.meta.url))

/** Returns the options of a bundle with the version of React of a `node_modules` folder. */
function options (modules: string): BuildOptions {
  return {
    bundle: true,
    logLevel: 'error',
    absWorkingDir: checkout,
    alias: { react: join(modules, 'react'), 'react-dom': join(modules, 'react-dom') },
    define: { 'process.env.NODE_ENV': '"development"' }
  }
}

/** Resolves with the program of the page, bundled. */
async function pageProgram (modules: string): Promise<string> {
  const { outputFiles: [output] } = await bundle({ ...options(modules), entryPoints: [join(folder, 'react-page.ts')], format: 'esm', platform: 'browser', write: false })
  return output!.text
}

/** What renders on a server. */
export interface ServerSide {
  /** Returns the HTML of a tree. */
  html (tree: Tree): string
  /** Returns the HTML of a component without a provider. */
  htmlWithoutProvider (): string
}

/** Resolves with the renderer, bundled for Node. */
export async function serverSide (t: Test, modules: string): Promise<ServerSide> {
  const contents = `
    import { createElement } from 'react'
    import { renderToString } from 'react-dom/server'
    import { Client, elements } from './react-page.ts'
    export const html = (tree) => renderToString(elements(tree))
    export const htmlWithoutProvider = () => renderToString(createElement(Client))`
  const { outputFiles: [output] } = await bundle({ ...options(modules), stdin: { contents, resolveDir: folder }, format: 'cjs', platform: 'node', write: false })
  const file = join(t.testdir(), 'server.cjs')
  await writeFile(file, output!.text)
  return createRequire(import.meta.url)(file) as ServerSide
}

let browser: Promise<Browser> | undefined

/** Starts the browser of all tests of the file. */
async function launchOnce (): Promise<Browser> {
  const launched = await launch()
  root.teardown(() => launched.close())
  return launched
}

/** Starts the app and opens its page. @param html content of the root */
export async function reactApp (t: Test, modules: string, chatOptions: FastifyChatOptions = {}, html = ''): Promise<ReactApp> {
  const { lines: presence, recorded, hooks } = presenceLog()
  const limits = { messageRate: Infinity, byteRate: Infinity, ...chatOptions.limits }
  const app = await build(t, { ...chatOptions, ...hooks, limits })
  const program = await pageProgram(modules)
  app.get('/app', async (_request, reply) => await reply.type('text/html').send(`<!doctype html>
    <meta charset="utf-8">
    <link rel="icon" href="data:,">
    <div id="root">${html}</div>
    <script type="module" src="/app.js"></script>`))
  app.get('/app.js', async (_request, reply) => await reply.type('text/javascript').send(program))
  const port = await listen(app)
  const network = await proxy(t, port)

  browser ??= launchOnce()
  const page = await (await browser).newPage()
  t.teardown(() => page.close())
  page.setDefaultTimeout(90_000)
  const complaints = complaintsOf(page, networkErrors)
  const sockets: WebSocket[] = []
  page.on('websocket', (socket) => sockets.push(socket))
  await page.goto(`http://127.0.0.1:${network.port}/app`)
  return {
    app,
    page,
    network,
    port,
    presence,
    recorded,
    sockets,
    complaints,
    render: async (tree) => await page.evaluate((tree) => (globalThis as unknown as PageWindow).page.render(tree), tree),
    unmount: async () => await page.evaluate(() => (globalThis as unknown as PageWindow).page.unmount()),
    async shows (id, text) {
      const hasText = typeof text === 'string' ? new RegExp(`^${escapePattern(text)}$`) : text
      await page.locator(`#${id}`, { hasText }).waitFor()
    }
  }
}
