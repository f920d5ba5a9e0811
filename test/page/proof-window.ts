import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import type { Test } from 'tap'
import type { FastifyChatOptions } from '../../src/index.ts'
import { build, listen, type App } from '../support/app.ts'

// ms: reached only on a failure, so it is long enough for a slow machine.
const waitTimeout = 30_000

export interface ProofWindow {
  readonly app: App
  readonly page: Page
  readonly drawer: Locator
  /** Console errors and warnings, page errors and failed requests. */
  readonly complaints: string[]
  /** URLs of the WebSockets that the page has opened. */
  readonly sockets: string[]
}

/** Opens the page of a new server in a window that has room for the drawer. */
export async function openProof (t: Test, browser: Browser, options: FastifyChatOptions = {}, context: BrowserContextOptions = {}): Promise<ProofWindow> {
  const app = await build(t, options)
  const port = await listen(app)
  const opened = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...context })
  opened.setDefaultTimeout(waitTimeout)
  t.teardown(() => opened.close())
  const page = await opened.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`))
  const sockets: string[] = []
  page.on('websocket', (socket) => sockets.push(socket.url()))
  await page.goto(`http://127.0.0.1:${port}/demo/?room=den`)
  const drawer = page.locator('#drawer')
  return { app, page, drawer, complaints, sockets }
}

/** Posts a text in a pane, the first one by default. Doesn't wait until it is stored. */
export async function post (page: Page, text: string, pane = 0): Promise<void> {
  const field = page.getByLabel('Message', { exact: true }).nth(pane)
  await field.fill(text)
  await field.press('Enter')
}

/** Waits until the drawer shows a text. */
export async function shows (drawer: Locator, selector: string, text: string | RegExp): Promise<void> {
  await drawer.locator(selector, { hasText: text }).first().waitFor()
}

/** Resolves with the states of the dots. */
export async function dots (drawer: Locator): Promise<Array<string | undefined>> {
  return await drawer.locator('.dots .dot').evaluateAll((all) => all.map((dot) => (dot as HTMLElement).dataset['state']))
}

export const buttonOf = (drawer: Locator, name: string) => drawer.getByRole('button', { name, exact: true })
