import { cp, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import fastifyChat, { memory, type FastifyChatOptions } from '../../src/index.ts'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'
import { bare, build, listen } from '../support/app.ts'
import { launch, skip } from '../support/chromium.ts'
import { run, type Run } from '../support/command.ts'
import { directory } from '../support/directory.ts'
import { proxy } from '../support/proxy.ts'
import { open as openSocket } from '../support/websocket-client.ts'
import { backendOf } from '../support/backend.ts'

const checkout = fileURLToPath(new URL('../..', import.meta.url))

// ms: reached only on a failure, so it is long enough for a slow machine.
const waitTimeout = 90_000

interface Window {
  readonly page: Page
  /** Console errors and warnings, page errors and failed requests. */
  readonly complaints: string[]
  /** The text frames that the window has sent. */
  readonly sent: string[]
}

/** Opens a window in a separate browser context. */
async function openWindow (t: Test, browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Window> {
  const context = await browser.newContext(options)
  context.setDefaultTimeout(waitTimeout)
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
  const sent: string[] = []
  page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => { sent.push(String(payload)) }))
  await page.goto(url)
  return { page, complaints, sent }
}

/** Opens a window whose clock is stopped once it is connected, so that the test controls its retries. */
async function openStill (t: Test, browser: Browser, url: string): Promise<Window> {
  const window = await openWindow(t, browser, 'about:blank')
  const { page } = window
  await page.clock.install()
  await page.goto(url)
  await status(page, 'Connected')
  await shows(page, '#echo-status', 'Connected.')
  await page.clock.pauseAt(Date.now() + 60_000)
  return window
}

async function serve (t: Test, options?: FastifyChatOptions): Promise<string> {
  return `http://127.0.0.1:${await listen(await build(t, options))}`
}

/** Starts the demo server as a process that can be killed; from source if `folder` is another checkout. */
async function serveApart (t: Test, { port = '0', folder = '' } = {}): Promise<{ port: string, kill: () => Run['ended'] }> {
  const args = ['serve', '--port', port]
  const { child, seen, ended } = folder === ''
    ? run(t, args)
    : run(t, ['--import', 'tsx', 'src/cli/main.ts', ...args], { file: process.execPath, cwd: folder })
  const [, listening = ''] = await seen(/Server listening at http:\/\/127\.0\.0\.1:(\d+)/)
  return {
    port: listening,
    kill () {
      child.kill('SIGKILL')
      return ended
    }
  }
}

const text = async (locator: Locator) => (await locator.textContent())?.trim()
const shows = (page: Page, selector: string, text: string | RegExp) => page.locator(selector, { hasText: text }).first().waitFor()
const status = (page: Page, words: string | RegExp) => shows(page, '#chat-status', words)

/** Resolves with the texts of all messages in the log, including the user's own and those of the page. */
const words = (page: Page) => page.locator('#chat-log > li').evaluateAll((items) =>
  items.map((item) => (item.querySelector('.text') ?? item).textContent))

/** Resolves with the items of the log, such as `Ada: hello`. */
const items = (page: Page, kind = '') => page.locator(`#chat-log > li${kind}`).evaluateAll((all) => all.map((item) =>
  `${item.querySelector('.name')?.textContent}: ${item.querySelector('.text')?.textContent}`))

async function type (page: Page, words: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(words)
  await page.getByRole('button', { name: 'Send', exact: true }).click()
}

/** Sends the text and waits until it is stored. */
async function say (page: Page, words: string): Promise<void> {
  await type(page, words)
  await page.locator('#chat-log li.sent:not(.pending)', { hasText: words }).last().waitFor()
}

// Playwright's waits have a timeout and a message of their own, so this one must not expire first.
t.setTimeout(600_000)

t.test('only the compiled files of the client and of its imports are served', async (t) => {
  const app = await build(t)
  for (const file of ['client/index.js', 'client/room.js', 'code-points.js', 'member-name.js', 'protocol.js', 'request-bounds.js']) {
    const { statusCode, headers } = await app.inject(`/demo/lib/${file}`)
    t.equal(statusCode, 200, `${file}: built by npm run build`)
    t.match(headers, { 'content-type': /javascript/, 'x-content-type-options': 'nosniff' }, file)
  }
  for (const file of ['', 'client/', 'client/index.d.ts', 'client/index.js.map', 'client/node.js', 'protocol.js.map', 'messages.js', 'index.js', 'plugin.js', '..%2Fpackage.json']) {
    t.equal((await app.inject(`/demo/lib/${file}`)).statusCode, 404, file)
  }
})

t.test('a route on the path of a compiled file is a coded error', async (t) => {
  for (const path of ['/demo/lib/protocol.js', '/demo/lib/*']) {
    const app = bare(t)
    app.get(path, async () => '')
    await t.rejects(async () => app.register(fastifyChat), { code: 'FST_CHAT_PATH_TAKEN', message: path })
  }
})

t.test('the page', { skip }, async (t) => {
  const browser = await launch()
  t.teardown(() => browser.close())
  const open = (t: Test, url: string, options?: BrowserContextOptions) => openWindow(t, browser, url, options)

  t.test('two windows exchange messages, by button and by Enter, without console errors', async (t) => {
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
    await shows(bob.page, '#chat-log li.received', 'good morning')
    await bob.page.getByLabel('Message', { exact: true }).fill('and to you')
    await bob.page.keyboard.press('Enter')
    await shows(ada.page, '#chat-log li.received', 'and to you')
    await shows(bob.page, '#chat-log li.sent:not(.pending)', 'and to you')
    t.strictSame(await items(ada.page), ['You: good morning', 'bob: and to you'])
    t.strictSame(await items(bob.page), ['ada: good morning', 'You: and to you'])
    t.equal(await bob.page.locator('#chat-log time').count(), 2, 'each message has its time')
    t.equal(await ada.page.getByLabel('Message', { exact: true }).inputValue(), '', 'the input is enabled again')
    t.equal(await text(ada.page.locator('#chat-error')), '')

    for (const { page, complaints } of [ada, bob]) {
      await shows(page, '#echo-status', 'Connected.')
      t.strictSame(complaints, [])
    }
  })

  t.test('the member list has the user first, and arrivals and departures are shown', async (t) => {
    const app = await build(t, { backend: backendOf({ roster: new MemoryRoster({ grace: 1, coalesce: 1 }) }) })
    const url = `http://127.0.0.1:${await listen(app)}/demo/`
    const ada = await open(t, `${url}?name=ada`)
    await shows(ada.page, '#chat-count', '1 here')
    const bob = await open(t, `${url}?name=Bob`)
    await shows(ada.page, '#chat-count', '2 here')
    await shows(bob.page, '#chat-count', '2 here')
    t.strictSame(await ada.page.locator('#chat-people li').allTextContents(), ['ada (you)', 'Bob'])
    t.strictSame(await bob.page.locator('#chat-people li').allTextContents(), ['Bob (you)', 'ada'])
    await bob.page.close()
    await shows(ada.page, '#chat-count', '1 here')
    t.strictSame(await ada.page.locator('#chat-people li').allTextContents(), ['ada (you)'])
  })

  t.test('a large member list shows the listed members and the number of others', async (t) => {
    const app = await build(t, { backend: backendOf({ roster: new MemoryRoster({ listed: 3, coalesce: 1 }) }) })
    const port = await listen(app)
    for (const name of ['ann', 'ben', 'cid', 'dan', 'eve']) await openSocket(t, `ws://127.0.0.1:${port}/chat?name=${name}`)
    const { page } = await open(t, `http://127.0.0.1:${port}/demo/?name=zoe`)
    await shows(page, '#chat-count', '6 here')
    t.strictSame(await page.locator('#chat-people li').allTextContents(), ['zoe (you)', 'ann', 'ben', 'cid', 'and 2 more'])
  })

  t.test('typing is shown for 4 s after its last signal, and sent at most every 2 s', async (t) => {
    const url = `${await serve(t)}/demo/`
    const ada = await openStill(t, browser, `${url}?name=ada`)
    const bob = await open(t, `${url}?name=bob`)
    await status(bob.page, 'Connected')
    const { page: cid } = await openStill(t, browser, `${url}?name=cid`)
    const typing = cid.locator('#chat-typing')
    const signals = () => ada.sent.filter((frame) => frame.includes('"type":"typing"')).length

    const message = ada.page.getByLabel('Message', { exact: true })
    await message.pressSequentially('hel')
    await shows(cid, '#chat-typing', 'ada is typing…')
    t.equal(signals(), 1, 'not one signal per key')
    await bob.page.getByLabel('Message', { exact: true }).pressSequentially('ah')
    await shows(cid, '#chat-typing', 'ada and bob are typing…')
    t.equal(await text(ada.page.locator('#chat-typing')), 'bob is typing…', 'not shown to the typing user')
    await cid.clock.runFor(3_900)
    t.equal(await text(typing), 'ada and bob are typing…')
    await cid.clock.runFor(200)
    t.equal(await text(typing), '')

    await ada.page.clock.runFor(1_900)
    t.equal(signals(), 1)
    await ada.page.clock.runFor(200)
    await shows(cid, '#chat-typing', 'ada is typing…')
    t.equal(signals(), 2, 'for the keys typed since the first signal')
    await ada.page.keyboard.press('Enter')
    await shows(cid, '#chat-log li', 'hel')
    t.equal(await text(typing), '', 'a sent message ends typing')
  })

  t.test('two members with one name are distinguished, even in earlier messages', async (t) => {
    const url = `${await serve(t)}/demo/`
    const one = await open(t, `${url}?name=ada`)
    const reader = await open(t, `${url}?name=bob`)
    await status(reader.page, 'Connected')
    await say(one.page, 'I am ada')
    await shows(reader.page, '#chat-log li', 'I am ada')
    t.strictSame(await items(reader.page), ['ada: I am ada'])
    const two = await open(t, `${url}?name=Ada`)
    await say(two.page, 'so am I')
    await shows(reader.page, '#chat-log li', 'so am I')
    await shows(reader.page, '#chat-count', '3 here')

    const [first = '', second = ''] = await items(reader.page)
    t.match(first, /^ada #[0-9a-z]{4}: I am ada$/)
    t.match(second, /^Ada #[0-9a-z]{4}: so am I$/)
    t.not(first.slice(4, 9), second.slice(4, 9))
    const listed = await reader.page.locator('#chat-people li').allTextContents()
    t.strictSame(listed.sort(), ['bob (you)', first.slice(0, 9), second.slice(0, 9)].sort(), 'the list distinguishes them too')
    t.match(await items(one.page), ['You: I am ada', second], 'the other member is not shown as the user')
  })

  t.test('two members whose names look the same are distinguished', async (t) => {
    const url = `${await serve(t)}/demo/`
    const one = await open(t, `${url}?name=${encodeURIComponent('Ada ❤\ufe0f')}`)
    await status(one.page, 'Connected to lobby as Ada ❤\ufe0f.')
    await open(t, `${url}?name=${encodeURIComponent('Ada ❤')}`)
    await one.page.locator('#chat-people li .mark').nth(1).waitFor()
    for (const listed of await one.page.locator('#chat-people li').allTextContents()) t.match(listed, /^Ada ❤\ufe0f? #[0-9a-z]{4}/)
  })

  t.test('the form states the rule that a name breaks', async (t) => {
    const { page } = await open(t, `${await serve(t)}/demo/`)
    const input = page.getByLabel('Your name')
    const problem = (name: string) => input.fill(name).then(async () => await input.evaluate((element) => (element as HTMLInputElement).validationMessage))
    t.equal(await problem('👩\u200d💻'.repeat(32)), '')
    t.equal(await problem('👩\u200d💻'.repeat(33)), 'The name must have at most 32 grapheme clusters and 128 code points')
    t.equal(await problem('a\u200db'), 'The name must not contain U+200D where it joins or selects nothing')
    t.equal(await problem(''), '', 'a name is optional')
  })

  t.test('after a reload the member, the room and the messages are the same', async (t) => {
    const { page } = await open(t, `${await serve(t)}/demo/?room=den&name=ada`)
    await status(page, 'Connected')
    for (const words of ['one', 'two']) await say(page, words)

    await page.reload()
    await status(page, 'Connected to den as ada.')
    await shows(page, '#chat-log li.sent', 'two')
    t.strictSame(await items(page, '.sent'), ['You: one', 'You: two'])
    t.equal(await text(page.locator('#chat-count')), '1 here')
    t.equal(await page.getByLabel('Your name').inputValue(), 'ada')
  })

  t.test('a duplicated tab or another name is a new member', async (t) => {
    const { page } = await open(t, `${await serve(t)}/demo/?name=ada`)
    await say(page, 'hello')
    // A duplicated tab receives a copy of sessionStorage, as here.
    const [copy] = await Promise.all([page.context().waitForEvent('page'), page.evaluate('void window.open(location.href)')])
    await status(copy, 'Connected to lobby as ada.')
    await shows(copy, '#chat-log li.received', 'hello')
    await shows(page, '#chat-count', '2 here')
    t.equal(await copy.locator('#chat-log li.sent').count(), 0)
    await copy.close()

    await page.getByLabel('Your name').fill('grace')
    await page.keyboard.press('Enter')
    await status(page, 'Connected to lobby as grace.')
    await shows(page, '#chat-log li.received', 'hello')
    await page.getByLabel('Your name').fill('')
    await page.keyboard.press('Enter')
    await status(page, 'Connected to lobby, without a name.')
  })

  t.test('older messages load on scroll or by button, and the scroll position is kept', async (t) => {
    const app = await build(t)
    for (let i = 1; i <= 130; i++) await app.chat.publish('lobby', { text: `message ${i}.`, from: { id: 'bot', name: 'bot' } })
    const { page, complaints } = await open(t, `http://127.0.0.1:${await listen(app)}/demo/`)
    await status(page, 'Connected')
    await shows(page, '#chat-log li', 'message 130.')
    const log = page.getByRole('log', { name: 'Chat messages' })
    t.strictSame((await words(page)).length, 50)
    t.ok(await log.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight < 2), 'it starts at the newest message')

    const bottomOf = (message: string) => page.locator('#chat-log li', { hasText: message }).evaluate((item) => item.getBoundingClientRect().bottom)
    const before = await log.evaluate((element) => {
      element.scrollTop = 0
      return element.querySelector('ol > li')!.getBoundingClientRect().bottom
    })
    await shows(page, '#chat-log li', 'message 31.')
    t.equal((await words(page)).length, 100)
    t.ok(Math.abs(await bottomOf('message 81.') - before) < 2, 'the text being read stays in place')

    await app.chat.publish('lobby', { text: 'message 131.' })
    await page.getByRole('button', { name: 'New messages' }).waitFor()
    t.ok(Math.abs(await bottomOf('message 81.') - before) < 2, "a new message doesn't move it")
    await page.getByRole('button', { name: 'Older messages' }).focus()
    await page.keyboard.press('Enter')
    await shows(page, '#chat-beginning', 'Beginning of the room.')
    t.strictSame(await words(page), Array.from({ length: 131 }, (_, i) => `message ${i + 1}.`))
    t.notOk(await page.getByRole('button', { name: 'Older messages' }).isVisible())
    t.equal(await page.evaluate(() => document.activeElement?.ariaLabel), 'Chat messages', 'the focus is kept when the button goes')
    await page.getByRole('button', { name: 'New messages' }).click()
    t.ok(await log.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight < 2))
    t.strictSame(complaints, [])
  })

  t.test('the page keeps at most 1,000 messages and says so', async (t) => {
    const app = await build(t, { backend: memory({ historyEntries: 2_000 }) })
    for (let i = 1; i <= 1_200; i++) await app.chat.publish('lobby', { text: `message ${i}.` })
    const { page } = await open(t, `http://127.0.0.1:${await listen(app)}/demo/`)
    await shows(page, '#chat-log li', 'message 1200.')
    const scrollUp = () => page.getByRole('log', { name: 'Chat messages' }).evaluate((element) => { element.scrollTop = 0 })
    for (let oldest = 1_101; oldest >= 201; oldest -= 50) {
      await scrollUp()
      await shows(page, '#chat-log li', `message ${oldest}.`)
    }
    await scrollUp()
    await shows(page, '#chat-beginning', 'This page shows at most 1,000 messages.')
    await app.chat.publish('lobby', { text: 'one more' })
    await shows(page, '#chat-log li', 'one more')
    t.equal((await words(page)).length, 1_000)
    t.equal((await words(page))[0], 'message 202.')
  })

  t.test('a refused message shows the reason, and can be resent or discarded', async (t) => {
    let refusals = 2
    const url = await serve(t, {
      prePost (draft) {
        if (refusals-- > 0) throw new Error('not before noon')
        return draft
      }
    })
    const { page } = await open(t, `${url}/demo/?name=ada`)
    await type(page, 'lunch?')
    await type(page, 'or coffee?')
    await page.locator('#chat-log li.failed').nth(1).waitFor()
    t.strictSame(await page.locator('#chat-log .state > span').allTextContents(), ['Not sent: not before noon. ', 'Not sent: not before noon. '])
    await page.getByRole('button', { name: 'Discard' }).last().click()
    await page.getByRole('button', { name: 'Send again' }).click()
    await page.locator('#chat-log li.sent:not(.pending)', { hasText: 'lunch?' }).waitFor()
    t.strictSame(await items(page), ['You: lunch?'])
  })

  t.test('a message that the app changes replaces the typed text', async (t) => {
    const url = await serve(t, { prePost: (draft) => ({ text: String(draft.text).replace('darn', '****') }) })
    const { page } = await open(t, `${url}/demo/?name=ada`)
    await type(page, 'darn it')
    await shows(page, '#chat-log li.sent:not(.pending)', '**** it')
    await page.locator('#chat-log li.pending').waitFor({ state: 'detached' })
    t.strictSame(await items(page), ['You: **** it'])
  })

  t.test('a streamed message grows in its place, and one that is cut is marked', async (t) => {
    const app = await build(t)
    const url = `http://127.0.0.1:${await listen(app)}`
    const { page, complaints } = await open(t, `${url}/demo/?room=den`)
    await status(page, 'Connected to den')
    const stream = app.chat.createWriteStream('den', { from: { id: 'bot', name: 'bot' } })
    await shows(page, '#chat-log li.received', '…')
    t.equal(await page.locator('#chat-log li').getAttribute('aria-busy'), 'true')
    await app.chat.publish('den', { text: 'meanwhile' })
    stream.write('to be ')
    await shows(page, '#chat-log li.received', 'to be ')
    stream.end('or not')
    await shows(page, '#chat-log li[aria-busy=false]', 'to be or not')
    t.strictSame(await items(page), ['bot: to be or not', 'Server: meanwhile'])
    await app.chat.delete('den', stream.position!)
    await shows(page, '#chat-log li.received', '(deleted)')
    const cut = app.chat.createWriteStream('den')
    await new Promise((resolve) => cut.write('so far', resolve))
    cut.destroy()
    await shows(page, '#chat-log li[aria-busy=false]:last-child', 'so far (unfinished)')
    t.strictSame(complaints, [])
  })

  t.test('on an unstable connection each message arrives once, and gaps are shown', async (t) => {
    const port = await listen(await build(t))
    const tunnel = await proxy(t, port)
    const bob = await open(t, `http://127.0.0.1:${port}/demo/?name=bob`)
    const { page: ada } = await openStill(t, browser, `http://127.0.0.1:${tunnel.port}/demo/?name=ada`)
    await say(ada, 'first')

    async function through (meanwhile: () => Promise<void>, note: string) {
      tunnel.target = undefined
      tunnel.cut()
      await status(ada, 'Retrying')
      await meanwhile()
      tunnel.target = port
      await ada.getByRole('button', { name: 'Reconnect now' }).click()
      await status(ada, 'Connected to lobby as ada.')
      await shows(ada, '#chat-log li.note', note)
      await ada.locator('#chat-log li.pending').waitFor({ state: 'detached' })
    }
    await through(async () => {}, 'No messages were missed.')
    t.strictSame(await words(ada), ['first', 'No messages were missed.'])

    await through(() => say(bob.page, 'second'), '1 message was missed and is shown below.')
    await through(async () => {
      await say(bob.page, 'third')
      await type(ada, 'fifth')
      await shows(ada, '#chat-log li.pending', 'Waiting for a connection')
      t.equal(await text(ada.locator('#chat-error')), '')
      await say(bob.page, 'fourth')
    }, '2 messages were missed and are shown below.')
    t.strictSame(await words(ada), ['first', 'second', '2 messages were missed and are shown below.', 'third', 'fourth', 'fifth'])

    // The message is stored, but its ack does not arrive.
    tunnel.silence()
    await type(ada, 'sixth')
    await shows(bob.page, '#chat-log li', 'sixth')
    await shows(ada, '#chat-log li.pending', 'Sending…')
    await through(async () => {}, 'No messages were missed.')
    const all = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth']
    t.strictSame(await words(bob.page), all)
    t.strictSame((await words(ada)).filter((text) => text !== 'No messages were missed.'), all)
    t.equal(await ada.locator('#chat-log li.sent').count(), 3)
    t.strictSame(bob.complaints, [])
  })

  t.test('HTML in a name or a message is shown as text and runs nothing', async (t) => {
    const url = await serve(t)
    const markup = '<img src=x onerror=hacked=1>'
    // The page's policy is off, because it would hide an attempt to run a script.
    const reader = await open(t, `${url}/demo/?name=reader`, { bypassCSP: true })
    await status(reader.page, 'Connected')
    const writer = await open(t, `${url}/demo/?${new URLSearchParams({ name: markup })}`, { bypassCSP: true })
    await status(writer.page, `Connected to lobby as ${markup}.`)
    await say(writer.page, markup)
    await writer.page.getByLabel('Text').fill(markup)
    await writer.page.getByRole('button', { name: 'Submit' }).click()
    await shows(writer.page, '#echo-log li.received', markup)

    for (const { page, complaints } of [reader, writer]) {
      await shows(page, '#chat-log li .text', markup)
      await shows(page, '#chat-people li', markup)
      t.equal(await page.locator('img').count(), 0)
      t.equal(await page.evaluate('typeof hacked'), 'undefined')
      t.strictSame(complaints, [])
    }
  })

  t.test("the page opens the chat's default room", async (t) => {
    const { page } = await open(t, `${await serve(t, { chat: { defaultRoom: 'hall' } })}/demo/`)
    await status(page, 'Connected to')
    t.equal(await text(page.locator('#chat-status')), 'Connected to hall, without a name.')
  })

  t.test('echo returns text and a file, and shows the round-trip time', async (t) => {
    const { page, complaints } = await open(t, `${await serve(t)}/demo/`)
    await shows(page, '#echo-status', 'Connected.')
    await page.getByLabel('Text').fill('žluťoučký kůň')
    await page.getByRole('button', { name: 'Submit' }).click()
    await shows(page, '#echo-log li.received', /^žluťoučký kůň\s*\d+\.\d ms$/)

    await page.getByLabel('File').setInputFiles({ name: 'all.bin', mimeType: 'application/octet-stream', buffer: Buffer.from([...Array(256).keys()]) })
    await page.getByRole('button', { name: 'Submit' }).click()
    await shows(page, '#echo-log li.sent', 'all.bin, 256 bytes')
    await shows(page, '#echo-log li.received', /^binary message, 256 bytes, identical to the sent message\s*\d+\.\d ms$/)
    t.strictSame(complaints, [])
  })

  t.test('an echo server with its own reply: Submit shows Hello, World!', async (t) => {
    const url = await serve(t, { page: '/', chat: false, echo: { greeting: 'hi', reply: () => 'World!' } })
    const { page, complaints } = await open(t, `${url}/`)
    await shows(page, '#echo-log li.received', /^hi\s*unsolicited$/)
    await page.getByLabel('Text').fill('Hello')
    await page.getByRole('button', { name: 'Submit' }).click()
    await shows(page, '#echo-log li.received', /^World!\s*\d+\.\d ms$/)
    t.notOk(await page.locator('#chat-panel').isVisible(), 'no chat panel without a chat')
    t.strictSame(complaints, [])
  })

  t.test('a disabled panel is hidden, and a page with both disabled shows a message', async (t) => {
    const chat = await open(t, `${await serve(t, { echo: false })}/demo/`)
    await status(chat.page, 'Connected')
    t.notOk(await chat.page.locator('#echo-panel').isVisible())
    t.strictSame(chat.complaints, [])

    const none = await open(t, `${await serve(t, { echo: false, chat: false })}/demo/`)
    await shows(none.page, '#page-error', 'Chat and echo are both disabled')
    t.notOk(await none.page.locator('#chat-panel, #echo-panel').filter({ visible: true }).count())
  })

  for (const options of [
    { page: '/' },
    { prefix: '/talk', page: '/' },
    { prefix: '/talk', page: '/try/it' },
    { chat: { path: '/rooms/' }, echo: { path: '/demo/echo' } }
  ] as const) {
    t.test(`the page finds its files, the chat and the echo under ${JSON.stringify(options)}`, async (t) => {
      const { prefix = '', page: path = '/demo/' } = options as { prefix?: string, page?: string }
      // Without the final slash, as users type it.
      const { page, complaints } = await open(t, await serve(t, options) + (prefix + path).replace(/\/$/, ''))
      await status(page, 'Connected to lobby')
      await shows(page, '#echo-status', 'Connected.')
      t.strictSame(complaints, [])
    })
  }

  t.test('Disconnect closes the echo cleanly, and Connect opens it again', async (t) => {
    const { page } = await open(t, `${await serve(t)}/demo/`)
    await shows(page, '#echo-status', 'Connected.')
    await page.getByRole('button', { name: 'Disconnect' }).click()
    await shows(page, '#echo-status', 'Closed (code 1000, normal close: disconnected by the user).')
    await page.getByLabel('Text').fill('too late')
    await page.getByRole('button', { name: 'Submit' }).click()
    await shows(page, '#echo-error', 'Cannot send: the connection is closed')
    t.equal(await page.getByLabel('Text').inputValue(), 'too late', 'the typed text is kept')

    await page.locator('#echo-panel').getByRole('button', { name: 'Connect', exact: true }).click()
    await shows(page, '#echo-status', 'Connected.')
    await page.getByRole('button', { name: 'Submit' }).click()
    await shows(page, '#echo-log li.received', 'too late')
  })

  t.test('a server shutdown is shown differently from a broken connection', async (t) => {
    const app = await build(t)
    const { page } = await openStill(t, browser, `http://127.0.0.1:${await listen(app)}/demo/`)
    await app.close()
    await status(page, 'Connection lost')
    await shows(page, '#echo-status', 'Closed')
    t.match(await text(page.locator('#chat-status')),
      /^Connection lost \(code 1001, the server is going away: the server is stopping\)\. Retrying in [12] s…$/)
    t.equal(await text(page.locator('#echo-status')), 'Closed (code 1001, the server is going away: the server is stopping).')
  })

  t.test('after a server lost its data, waiting messages are kept and the loss is shown', async (t) => {
    const server = await serveApart(t)
    const { page } = await openStill(t, browser, `http://127.0.0.1:${server.port}/?name=ada`)
    await say(page, 'before the restart')
    await server.kill()
    await status(page, 'Connection lost')
    await shows(page, '#echo-status', 'Connection lost without')
    t.match(await text(page.locator('#chat-status')), /^Connection lost \(code 1006\)\. Retrying in [12] s…$/)
    t.equal(await text(page.locator('#echo-status')), 'Connection lost without a close frame (code 1006).')

    await type(page, 'kept')
    await shows(page, '#chat-log li.pending', 'Waiting for a connection')

    await serveApart(t, { port: server.port })
    await page.clock.runFor(2_000)
    await status(page, 'Connected to lobby as ada.')
    await shows(page, '#chat-log li.note', 'Some messages are missing. These are the newest.')
    await shows(page, '#chat-log li.sent:not(.pending)', 'kept')
    t.strictSame(await words(page), ['Some messages are missing. These are the newest.', 'kept'])
    t.equal(await text(page.locator('#chat-error')), '')
  })

  t.test('at most 100 messages wait for a connection, even for the first one', async (t) => {
    const url = await serve(t)
    const { page } = await open(t, 'about:blank')
    await page.clock.install()
    await page.routeWebSocket(/chat$/, async (socket) => socket.close({ code: 1013 }))
    await page.goto(`${url}/demo/?name=ada`)
    await status(page, 'Could not connect')
    await page.clock.pauseAt(Date.now() + 60_000)
    const input = page.getByLabel('Message', { exact: true })
    await input.evaluate((input: HTMLInputElement) => {
      for (let i = 1; i <= 100; i++) {
        input.value = `message ${i}.`
        input.form!.requestSubmit()
      }
    })
    await type(page, 'message 101.')
    await shows(page, '#chat-error', 'Cannot send: 100 messages are already waiting')
    t.equal(await input.inputValue(), 'message 101.', 'the typed text is kept')
    t.equal(await page.locator('#chat-log li.pending').count(), 100)
  })

  t.test('a terminal close code shows its reason, and later text is not accepted', async (t) => {
    let id = ''
    const app = await build(t, { onJoin (member) { id = member.id } })
    const { page } = await open(t, `http://127.0.0.1:${await listen(app)}/demo/?name=ada`)
    await say(page, 'WHAT')
    await app.chat.kick(id, { reason: 'shouting' })
    await status(page, 'Disconnected (code 4403, kicked or banned: shouting). The page will not reconnect.')
    await type(page, 'but')
    await shows(page, '#chat-error', 'Cannot send: the connection is closed')
    t.equal(await page.getByLabel('Message', { exact: true }).inputValue(), 'but', 'the typed text is kept')
    t.notOk(await page.locator('#reconnect-now').isVisible())
  })

  t.test('a refused room and an invalid name are reported', async (t) => {
    const { page } = await open(t, `${await serve(t, { authorize: ({ room }) => room !== 'secret' })}/demo/?room=secret`)
    await status(page, /^Not connected: .*secret/)
    await page.getByLabel('Room').fill('lobby')
    await page.keyboard.press('Enter')
    await status(page, 'Connected to lobby')
    await page.goto(page.url().replace(/\?.*/, '?name=%E2%80%AEada'))
    await status(page, 'Not connected: the room or the name is invalid.')
  })

  t.test('while the server is down the page retries, and Reconnect now skips the delay', async (t) => {
    const server = await serveApart(t)
    const { page } = await openStill(t, browser, `http://127.0.0.1:${server.port}/`)
    t.notOk(await page.locator('#reconnect-now').isVisible())
    await server.kill()
    await status(page, 'Connection lost')
    await page.clock.runFor(2_000)
    await status(page, 'Could not connect')
    t.match(await text(page.locator('#chat-status')), /^Could not connect \(code 1006: the handshake failed\)\. Retrying in [1-4] s…$/)
    t.match(await text(page.locator('#chat-error')), /The server is unreachable/)

    await serveApart(t, { port: server.port })
    await page.getByRole('button', { name: 'Reconnect now' }).click()
    await status(page, 'Connected to lobby')
    t.equal(await text(page.locator('#chat-error')), '')
    t.notOk(await page.locator('#reconnect-now').isVisible())
    t.equal(await page.evaluate(() => document.activeElement?.id), 'chat-message', 'the focus is kept when the button goes')
  })

  t.test('on a phone the page needs no horizontal scrolling', async (t) => {
    const viewport = { width: 320, height: 640 }
    const url = await serve(t)
    const { page } = await open(t, `${url}/demo/?name=${'w'.repeat(32)}`, { viewport, isMobile: true, hasTouch: true })
    await status(page, 'Connected')
    await openSocket(t, `${url.replace('http', 'ws')}/chat?name=${'w'.repeat(32)}`)
    await say(page, 'x'.repeat(300))
    await shows(page, '#chat-people .mark', '#')
    await page.getByLabel('Text').fill('y'.repeat(300))
    await page.getByRole('button', { name: 'Submit' }).tap()
    await shows(page, '#echo-log li.received', 'yyy')
    const { scrollWidth, innerWidth } = await page.evaluate(() => ({ scrollWidth: document.documentElement.scrollWidth, innerWidth: window.innerWidth }))
    t.equal(innerWidth, viewport.width, 'the layout is no wider than the phone')
    t.ok(scrollWidth <= viewport.width, `${scrollWidth} px wide`)
  })

  t.test('the page is usable by keyboard alone', async (t) => {
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
    await shows(page, '#chat-log li.sent:not(.pending)', 'by hand')
    await walkTo('echo-message')
    await page.keyboard.type('echo by hand')
    await page.keyboard.press('Enter')
    await shows(page, '#echo-log li.received', 'echo by hand')
    t.equal(await page.evaluate(() => document.activeElement?.id), 'echo-message', 'the focus stays in place')
  })

  t.test('without the compiled client, page and log report it once, and the echo works', async (t) => {
    const folder = directory(t)
    for (const name of ['src', 'public', 'package.json', 'tsconfig.json']) await cp(join(checkout, name), join(folder, name), { recursive: true })
    await symlink(join(checkout, 'node_modules'), join(folder, 'node_modules'))
    const server = await serveApart(t, { folder })
    const { page, complaints } = await open(t, `http://127.0.0.1:${server.port}/`)
    await shows(page, '#page-error', 'npm run build')
    await shows(page, '#echo-status', 'Connected.')
    t.notOk(await page.locator('#chat-panel').isVisible())
    t.strictSame(complaints, [])
    t.equal((await server.kill()).stdout.split('its client is not compiled').length - 1, 1)
  })

  t.end()
})
