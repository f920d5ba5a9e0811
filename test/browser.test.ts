import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chromium, type Browser, type BrowserContextOptions, type Locator, type Page } from 'playwright-core'
import t, { type Test } from 'tap'
import type { FastifyChatOptions } from '../src/index.ts'
import { build, listen } from './helper.ts'

const flags = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'
]

function find (command: string): string | undefined {
  try {
    return execFileSync('sh', ['-c', `command -v ${command}`], { encoding: 'utf8' }).trim()
  } catch {
    return undefined
  }
}

const executablePath = find('chromium')
const missing = 'chromium is not installed (apt-get install chromium)'
const skip = executablePath === undefined && process.env['CI'] !== 'true' && missing

interface Window {
  readonly page: Page
  /** What a reader of the console would worry about. */
  readonly complaints: string[]
}

/** A window of its own: nothing is shared with the others. */
async function openWindow (t: Test, browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Window> {
  const context = await browser.newContext(options)
  t.teardown(() => context.close())
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`))
  page.on('response', (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()}: ${response.url()}`)
  })
  await page.goto(url)
  return { page, complaints }
}

/** A window in which, once it is connected, time stands still: it tries again when the test lets time pass. */
async function openStill (t: Test, browser: Browser, url: string): Promise<Page> {
  const { page } = await openWindow(t, browser, 'about:blank')
  await page.clock.install()
  await page.goto(url)
  await status(page, 'Connected')
  await shows(page, '#echo-status', 'Connected.')
  await page.clock.pauseAt(Date.now() + 60_000)
  return page
}

async function serve (t: Test, options?: FastifyChatOptions): Promise<string> {
  return `http://127.0.0.1:${await listen(await build(t, options))}`
}

/** The demo server as a process of its own, to be killed. */
async function serveApart (t: Test, port = '0'): Promise<{ port: string, kill (): Promise<void> }> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', 'serve', '--port', port], { stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  async function kill () {
    child.kill('SIGKILL')
    await closed
  }
  t.teardown(kill)
  let output = ''
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    output += String(chunk)
    const [, listening] = /Server listening at http:\/\/127\.0\.0\.1:(\d+)/.exec(output) ?? []
    if (listening === undefined) continue
    child.stdout.resume()
    return { port: listening, kill }
  }
  throw new Error(`the server ended: ${output}`)
}

const text = async (locator: Locator) => (await locator.textContent())?.trim()
const shows = (page: Page, selector: string, text: string | RegExp) => page.locator(selector, { hasText: text }).first().waitFor()
const status = (page: Page, words: string | RegExp) => shows(page, '#chat-status', words)

async function say (page: Page, words: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(words)
  await page.getByRole('button', { name: 'Send' }).click()
}

// Each wait of playwright's ends by itself and says what it waited for: this only must not come before.
t.setTimeout(600_000)

t.test('the page', { skip }, async (t) => {
  if (executablePath === undefined) throw new Error(missing)
  const browser = await chromium.launch({ executablePath, args: flags })
  t.teardown(() => browser.close())
  const open = (t: Test, url: string, options?: BrowserContextOptions) => openWindow(t, browser, url, options)

  t.test('two windows talk to each other in a room, by button and by Enter, and nothing complains', async (t) => {
    const url = await serve(t)
    const ada = await open(t, `${url}/demo/?room=den&name=ada`)
    await status(ada.page, 'Connected to den as ada.')
    const bob = await open(t, `${url}/demo/`)
    await status(bob.page, 'Connected to lobby, without a name.')
    await bob.page.getByLabel('Room').fill('den')
    await bob.page.getByLabel('Your name').fill('bob')
    await bob.page.locator('#chat-panel').getByRole('button', { name: 'Connect', exact: true }).click()
    await status(bob.page, 'Connected to den as bob.')

    await say(ada.page, 'good morning')
    await shows(bob.page, '#chat-log li.received', 'ada: good morning')
    await shows(ada.page, '#chat-log li.sent', 'ada: good morning')
    await bob.page.getByLabel('Message', { exact: true }).fill('and to you')
    await bob.page.keyboard.press('Enter')
    await shows(ada.page, '#chat-log li.received', 'bob: and to you')
    await shows(bob.page, '#chat-log li.sent', 'bob: and to you')
    t.equal(await ada.page.getByLabel('Message', { exact: true }).inputValue(), '', 'the input is free again')
    t.equal(await text(ada.page.locator('#chat-error')), '')

    for (const { page, complaints } of [ada, bob]) {
      await shows(page, '#echo-status', 'Connected.')
      t.strictSame(complaints, [])
    }
  })

  t.test('after a reload the room, the name and what was said are still there', async (t) => {
    const { page } = await open(t, `${await serve(t)}/demo/?room=den&name=ada`)
    await status(page, 'Connected')
    for (const words of ['one', 'two']) await say(page, words)
    await shows(page, '#chat-log li', 'two')

    await page.reload()
    await status(page, 'Connected to den as ada.')
    await shows(page, '#chat-log li', 'ada: two')
    t.strictSame(await page.locator('#chat-log li').allTextContents(), ['connected to WebSocket server', 'ada: one', 'ada: two'])
    t.equal(await page.getByLabel('Your name').inputValue(), 'ada')
  })

  t.test('a name and a message that are HTML are shown as text and run nothing', async (t) => {
    const url = await serve(t)
    const markup = '<img src=x onerror=hacked=1>'
    // Without the page's policy, which would hide that a script was tried.
    const reader = await open(t, `${url}/demo/?name=reader`, { bypassCSP: true })
    await status(reader.page, 'Connected')
    const writer = await open(t, `${url}/demo/?${new URLSearchParams({ name: markup })}`, { bypassCSP: true })
    await status(writer.page, `Connected to lobby as ${markup}.`)
    await say(writer.page, markup)
    await writer.page.getByLabel('Text').fill(markup)
    await writer.page.getByRole('button', { name: 'Submit' }).click()
    await shows(writer.page, '#echo-log li.received', markup)

    for (const { page, complaints } of [reader, writer]) {
      await shows(page, '#chat-log li', `${markup}: ${markup}`)
      t.equal(await page.locator('img').count(), 0)
      t.equal(await page.evaluate('typeof hacked'), 'undefined')
      t.strictSame(complaints, [])
    }
  })

  t.test('what one sends is seen by oneself too, where the chat leaves the sender out', async (t) => {
    const url = await serve(t, { chat: { includeSender: false } })
    const ada = await open(t, `${url}/demo/?name=ada`)
    await status(ada.page, 'Connected')
    const bob = await open(t, `${url}/demo/?name=bob`)
    await status(bob.page, 'Connected')

    await say(ada.page, 'is it there?')
    await shows(bob.page, '#chat-log li', 'ada: is it there?')
    await say(bob.page, 'yes')
    await shows(ada.page, '#chat-log li', 'bob: yes')
    t.strictSame(await ada.page.locator('#chat-log li').allTextContents(),
      ['connected to WebSocket server', 'ada: is it there?', 'bob: yes'])
  })

  t.test('the room it opens is the default room of the chat', async (t) => {
    const { page } = await open(t, `${await serve(t, { chat: { defaultRoom: 'hall' } })}/demo/`)
    await status(page, 'Connected to')
    t.equal(await text(page.locator('#chat-status')), 'Connected to hall, without a name.')
  })

  t.test('echo brings back text and a file, with the time it took', async (t) => {
    const { page, complaints } = await open(t, `${await serve(t)}/demo/`)
    await shows(page, '#echo-status', 'Connected.')
    await page.getByLabel('Text').fill('žluťoučký kůň')
    await page.getByRole('button', { name: 'Submit' }).click()
    await shows(page, '#echo-log li.received', /^žluťoučký kůň\s*\d+\.\d ms$/)

    await page.getByLabel('File').setInputFiles({ name: 'all.bin', mimeType: 'application/octet-stream', buffer: Buffer.from([...Array(256).keys()]) })
    await page.getByRole('button', { name: 'Submit' }).click()
    await shows(page, '#echo-log li.sent', 'all.bin, 256 bytes')
    await shows(page, '#echo-log li.received', /^binary message, 256 bytes, identical to what was sent\s*\d+\.\d ms$/)
    t.strictSame(complaints, [])
  })

  t.test('a server with a reply of its own: Submit sends Hello, World! comes back', async (t) => {
    const url = await serve(t, { page: '/', chat: false, echo: { greeting: 'hi', reply: () => 'World!' } })
    const { page, complaints } = await open(t, `${url}/`)
    await shows(page, '#echo-log li.received', /^hi\s*unasked$/)
    await page.getByLabel('Text').fill('Hello')
    await page.getByRole('button', { name: 'Submit' }).click()
    await shows(page, '#echo-log li.received', /^World!\s*\d+\.\d ms$/)
    t.notOk(await page.locator('#chat-panel').isVisible(), 'no chat panel where there is no chat')
    t.strictSame(complaints, [])
  })

  t.test('a panel that is off is hidden, and both off is said', async (t) => {
    const chat = await open(t, `${await serve(t, { echo: false })}/demo/`)
    await status(chat.page, 'Connected')
    t.notOk(await chat.page.locator('#echo-panel').isVisible())
    t.strictSame(chat.complaints, [])

    const none = await open(t, `${await serve(t, { echo: false, chat: false })}/demo/`)
    await shows(none.page, '#page-error', 'Chat and echo are both switched off')
    t.notOk(await none.page.locator('#chat-panel, #echo-panel').filter({ visible: true }).count())
  })

  for (const options of [
    { page: '/' },
    { prefix: '/talk', page: '/' },
    { prefix: '/talk', page: '/try/it' },
    { chat: { path: '/rooms/' }, echo: { path: '/demo/echo' } }
  ] as const) {
    t.test(`it finds its files, the chat and the echo under ${JSON.stringify(options)}`, async (t) => {
      const { prefix = '', page: path = '/demo/' } = options as { prefix?: string, page?: string }
      // Without a slash at the end, as people type it.
      const { page, complaints } = await open(t, await serve(t, options) + (prefix + path).replace(/\/$/, ''))
      await status(page, 'Connected to lobby')
      await shows(page, '#echo-status', 'Connected.')
      t.strictSame(complaints, [])
    })
  }

  t.test('an end of the echo by Disconnect is a clean one, and Connect opens it again', async (t) => {
    const { page } = await open(t, `${await serve(t)}/demo/`)
    await shows(page, '#echo-status', 'Connected.')
    await page.getByRole('button', { name: 'Disconnect' }).click()
    await shows(page, '#echo-status', 'Closed cleanly (code 1000, a normal end: the reader pressed Disconnect).')
    await page.getByLabel('Text').fill('too late')
    await page.getByRole('button', { name: 'Submit' }).click()
    await shows(page, '#echo-error', 'Cannot send because the WebSocket is closed')
    t.equal(await page.getByLabel('Text').inputValue(), 'too late', 'what was written is kept')

    await page.locator('#echo-panel').getByRole('button', { name: 'Connect', exact: true }).click()
    await shows(page, '#echo-status', 'Connected.')
    await page.getByRole('button', { name: 'Submit' }).click()
    await shows(page, '#echo-log li.received', 'too late')
  })

  t.test('a server that stops is told from a broken connection', async (t) => {
    const app = await build(t)
    const page = await openStill(t, browser, `http://127.0.0.1:${await listen(app)}/demo/`)
    await app.close()
    await status(page, 'Connection lost')
    await shows(page, '#echo-status', 'Closed')
    t.match(await text(page.locator('#chat-status')),
      /^Connection lost \(code 1001, the server is going away: the server is stopping\)\. Trying again in [12] s…$/)
    t.equal(await text(page.locator('#echo-status')), 'Closed cleanly (code 1001, the server is going away: the server is stopping).')
  })

  t.test('a connection that breaks is shown, nothing is sent meanwhile, and it comes back by itself', async (t) => {
    const server = await serveApart(t)
    const page = await openStill(t, browser, `http://127.0.0.1:${server.port}/?name=ada`)
    await server.kill()
    await status(page, 'Connection lost')
    await shows(page, '#echo-status', 'Broken')
    t.match(await text(page.locator('#chat-status')), /^Connection lost \(code 1006\)\. Trying again in [12] s…$/)
    t.equal(await text(page.locator('#echo-status')), 'Broken, without a closing handshake (code 1006).')

    await say(page, 'kept')
    await shows(page, '#chat-error', 'Cannot send because the WebSocket is closed')
    t.equal(await page.getByLabel('Message', { exact: true }).inputValue(), 'kept')

    await serveApart(t, server.port)
    await page.clock.runFor(2_000)
    await status(page, 'Connected to lobby as ada.')
    t.equal(await text(page.locator('#chat-error')), '')
    await page.getByRole('button', { name: 'Send' }).click()
    await shows(page, '#chat-log li.sent', 'ada: kept')
  })

  t.test('while the server is away it goes on trying, and Reconnect now does not wait', async (t) => {
    const server = await serveApart(t)
    const page = await openStill(t, browser, `http://127.0.0.1:${server.port}/`)
    t.notOk(await page.locator('#reconnect-now').isVisible())
    await server.kill()
    await status(page, 'Connection lost')
    await page.clock.runFor(2_000)
    await status(page, 'Could not connect')
    t.match(await text(page.locator('#chat-status')), /^Could not connect \(code 1006\)\. Trying again in [1-4] s…$/)
    t.match(await text(page.locator('#chat-error')), /The server may be down/)

    await serveApart(t, server.port)
    await page.getByRole('button', { name: 'Reconnect now' }).click()
    await status(page, 'Connected to lobby')
    t.equal(await text(page.locator('#chat-error')), '')
    t.notOk(await page.locator('#reconnect-now').isVisible())
    t.equal(await page.evaluate(() => document.activeElement?.id), 'chat-message', 'the focus is not lost with the button')
  })

  t.test('a phone shows all of it without scrolling sideways', async (t) => {
    const viewport = { width: 320, height: 640 }
    const { page } = await open(t, `${await serve(t)}/demo/?name=${'w'.repeat(32)}`, { viewport, isMobile: true, hasTouch: true })
    await status(page, 'Connected')
    await say(page, 'x'.repeat(300))
    await shows(page, '#chat-log li', 'xxx')
    await page.getByLabel('Text').fill('y'.repeat(300))
    await page.getByRole('button', { name: 'Submit' }).tap()
    await shows(page, '#echo-log li.received', 'yyy')
    const { scrollWidth, innerWidth } = await page.evaluate(() => ({ scrollWidth: document.documentElement.scrollWidth, innerWidth: window.innerWidth }))
    t.equal(innerWidth, viewport.width, 'the page is not laid out wider than the phone')
    t.ok(scrollWidth <= viewport.width, `${scrollWidth} px wide`)
  })

  t.test('the keyboard is enough', async (t) => {
    const { page } = await open(t, `${await serve(t)}/demo/`)
    await status(page, 'Connected')
    const walkTo = async (id: string) => {
      const passed: Array<string | undefined> = []
      while (passed.at(-1) !== id) {
        if (passed.length > 30) throw new Error(`Tab does not come to ${id}: ${passed.join(', ')}`)
        await page.keyboard.press('Tab')
        passed.push(await page.evaluate(() => document.activeElement?.id))
      }
    }
    await walkTo('name')
    await page.keyboard.type('ada')
    await page.keyboard.press('Enter')
    await status(page, 'Connected to lobby as ada.')
    await walkTo('chat-message')
    await page.keyboard.type('by hand')
    await page.keyboard.press('Enter')
    await shows(page, '#chat-log li.sent', 'ada: by hand')
    await walkTo('echo-message')
    await page.keyboard.type('echo by hand')
    await page.keyboard.press('Enter')
    await shows(page, '#echo-log li.received', 'echo by hand')
    t.equal(await page.evaluate(() => document.activeElement?.id), 'echo-message', 'and stays where it is')
  })

  t.end()
})
