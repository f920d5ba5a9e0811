import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import type { Test } from 'tap'
import { complaintsOf } from '../support/chromium.ts'

// ms: reached only on a failure, so it is long enough for a slow machine.
const waitTimeout = 30_000

/** A window of the page. */
export interface PageWindow {
  readonly page: Page
  /** Console errors and warnings, page errors and failed requests. */
  readonly complaints: string[]
  /** The text frames that the window has sent. */
  readonly sent: string[]
  /** The URLs of the WebSockets that the window has opened. */
  readonly sockets: string[]
}

export interface PageWindowOptions extends BrowserContextOptions {
  /** name of the user, as if it had been given before; undefined: the page asks for it */
  readonly name?: string
  /** whether the proof drawer is open; false */
  readonly drawer?: boolean
}

/** Opens a window in a browser context of its own. The URL may be that of the page, with `?room=`. */
export async function openPage (t: Test, browser: Browser, url: string, { name, drawer = false, ...options }: PageWindowOptions = {}): Promise<PageWindow> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  context.setDefaultTimeout(waitTimeout)
  t.teardown(() => context.close())
  await context.addInitScript(prepare, { name, drawer })
  const page = await context.newPage()
  const window = watch(page)
  await page.goto(url)
  return window
}

/** Collects what goes wrong in a tab. */
export function watch (page: Page): PageWindow {
  const complaints = complaintsOf(page)
  const [sent, sockets]: [string[], string[]] = [[], []]
  page.on('requestfailed', (request) => {
    // A reload ends the requests of the document before.
    if (!/ABORTED/.test(request.failure()?.errorText ?? '')) complaints.push(`failed: ${request.url()}`)
  })
  page.on('response', (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()}: ${response.url()}`)
  })
  page.on('websocket', (socket) => {
    sockets.push(socket.url())
    socket.on('framesent', ({ payload }) => { sent.push(String(payload)) })
  })
  return { page, complaints, sent, sockets }
}

/** Runs in the browser, in each document: sets what the page keeps, unless it was set before. */
function prepare ({ name, drawer }: { name: string | undefined, drawer: boolean }): void {
  // A page without an address has no storage.
  if (location.protocol === 'about:' || localStorage.getItem('prepared') !== null) return
  localStorage.setItem('prepared', '')
  localStorage.setItem('fastify-chat drawer', drawer ? 'open' : 'closed')
  if (name !== undefined) localStorage.setItem('fastify-chat /chat name', JSON.stringify(name))
}

/** Waits until an element with this text is in the page, visible or not. */
export const shows = (page: Page, selector: string, text: string | RegExp) => page.locator(selector, { hasText: text }).first().waitFor({ state: 'attached' })

/** Waits until the room is joined. */
export const connected = (page: Page) => shows(page, '.status-word', /^Connected/)

export const text = async (locator: Locator) => (await locator.textContent())?.trim()

/** Resolves with the texts of the shown messages. */
export const texts = (page: Page) => page.locator('.rows > .row .text').allTextContents()

/** Resolves with the shown messages, such as `Ada: hello`. */
export const items = (page: Page) => page.locator('.rows > .row').evaluateAll((rows) =>
  rows.map((row) => `${row.querySelector('.name')?.textContent}: ${row.querySelector('.text')?.textContent}`))

/** Waits for two frames: in the first one, the page draws what has changed. */
export const drawn = (page: Page) => page.evaluate(async () => {
  for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame)
})

/** Types a text and sends it. */
export async function post (page: Page, words: string): Promise<void> {
  await page.locator('.field').first().fill(words)
  await page.keyboard.press('Enter')
}

/** Posts a text and waits until it is stored. */
export async function say (page: Page, words: string): Promise<void> {
  await post(page, words)
  await page.locator('.row.own.stored', { hasText: words }).last().waitFor()
}

/** Opens a room, and waits until it is joined. */
export async function openRoom (page: Page, room: string): Promise<void> {
  await page.getByLabel('Room to open').fill(room)
  await page.keyboard.press('Enter')
  await shows(page, '.title', room)
  await connected(page)
}
