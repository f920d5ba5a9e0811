import { cp, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { build, listen } from '../support/app.ts'
import { launch, skip } from '../support/chromium.ts'
import { run, type Run } from '../support/command.ts'
import { directory } from '../support/directory.ts'
import { connected, openPage, openRoom, post, say, shows, text, texts, watch, type PageWindow } from './page-window.ts'
import { proxy } from '../support/proxy.ts'
import { typescriptArguments } from '../support/typescript-arguments.ts'

const checkout = fileURLToPath(new URL('../..', import.meta.url))

// Playwright's waits have a timeout and a message of their own, so this one must not expire first.
t.setTimeout(600_000)

/** Starts the demo server as a process that can be killed; from source if `folder` is another checkout. */
async function serveApart (t: Test, { port = '0', folder = '' } = {}): Promise<{ port: string, kill: () => Run['ended'] }> {
  const args = ['serve', '--port', port]
  const { child, seen, ended } = folder === ''
    ? run(t, args)
    : run(t, [...typescriptArguments, 'src/cli/main.ts', ...args], { file: process.execPath, cwd: folder })
  const [, listening = ''] = await seen(/Server listening at http:\/\/127\.0\.0\.1:(\d+)/)
  return {
    port: listening,
    kill () {
      child.kill('SIGKILL')
      return ended
    }
  }
}

const notice = (page: Page, words: string | RegExp) => shows(page, '.notice:not([hidden]) .notice-text', words)

/** Makes the client of the page connect at once. The button for it is hidden while the client connects, so that a click can come too late. */
const reconnect = (page: Page) => page.evaluate(() => dispatchEvent(new Event('online')))

const nonePending = (page: Page) => page.locator('.row.pending').first().waitFor({ state: 'detached' })

/** Waits until the browser has saved this number of posts. The page shows them before. */
const saved = (page: Page, count: number) => page.waitForFunction(async (count) => await new Promise<boolean>((resolve) => {
  const opening = indexedDB.open('fastify-chat /chat')
  opening.onsuccess = () => {
    const counting = opening.result.transaction('posts').objectStore('posts').count()
    counting.onsuccess = () => {
      opening.result.close()
      resolve(counting.result === count)
    }
  }
}), count)

t.test('the connection of the page', { skip }, async (t) => {
  const browser = await launch()
  t.teardown(() => browser.close())

  /** Opens a window whose client waits nearly as long as it may before each attempt to reconnect: 2 s, 4 s, 8 s, and so on. */
  async function openPatient (t: Test, url: string): Promise<PageWindow> {
    const window = await openPage(t, browser, 'about:blank', { name: 'ada' })
    await window.page.addInitScript(() => { Math.random = () => 0.99 })
    await window.page.goto(url)
    await connected(window.page)
    return window
  }

  /** Opens the room `den`. The server refuses its connections until `reload` is called. */
  async function openRefused (t: Test): Promise<{ readonly page: Page, readonly reload: () => Promise<void> }> {
    const port = await listen(await build(t))
    const { page } = await openPage(t, browser, 'about:blank', { name: 'ada' })
    let isRefused = true
    await page.routeWebSocket(/chat$/, async (socket) => {
      if (isRefused) await socket.close({ code: 1013 })
      else socket.connectToServer()
    })
    await page.goto(`http://127.0.0.1:${port}/demo/?room=den`)
    await notice(page, 'Could not connect: the server is busy')
    return {
      page,
      async reload () {
        isRefused = false
        await page.reload()
      }
    }
  }

  t.test('on an unstable connection each message arrives once, in order', async (t) => {
    const port = await listen(await build(t))
    const tunnel = await proxy(t, port)
    const bob = await openPage(t, browser, `http://127.0.0.1:${port}/demo/`, { name: 'bob' })
    const { page: ada } = await openPage(t, browser, `http://127.0.0.1:${tunnel.port}/demo/`, { name: 'ada' })
    await say(ada, 'first')

    async function through (meanwhile: () => Promise<void>, words: string) {
      tunnel.target = undefined
      tunnel.cut()
      await notice(ada, /Connection lost|Could not connect/)
      await meanwhile()
      tunnel.target = port
      await reconnect(ada)
      await shows(ada, '.status-word', words)
      await nonePending(ada)
    }
    await through(async () => {}, 'Connected, nothing missed')
    await through(() => say(bob.page, 'second'), 'Connected, 1 restored')
    await through(async () => {
      await say(bob.page, 'third')
      await post(ada, 'fifth')
      await shows(ada, '.row.pending', 'fifth')
      await say(bob.page, 'fourth')
    }, 'Connected, 2 restored')

    // The message is stored, but its acknowledgement does not arrive.
    tunnel.silence()
    await post(ada, 'sixth')
    await shows(bob.page, '.row', 'sixth')
    await shows(ada, '.row.pending', 'sixth')
    await through(async () => {}, 'Connected, nothing missed')
    for (const page of [ada, bob.page]) t.strictSame(await texts(page), ['first', 'second', 'third', 'fourth', 'fifth', 'sixth'])
    t.equal(await ada.locator('.notice').isVisible(), false)
    t.strictSame(bob.complaints, [])
  })

  t.test('a device without a network is shown as offline, and sends when it is online again', async (t) => {
    const { page } = await openPage(t, browser, `http://127.0.0.1:${await listen(await build(t))}/demo/`, { name: 'ada' })
    await connected(page)
    await page.context().setOffline(true)
    await shows(page, '.status-word', 'Offline')
    await notice(page, 'This device is offline')
    await post(page, 'later')
    await shows(page, '.row.pending', 'later')
    await page.clock.install()
    await page.context().setOffline(false)
    await shows(page, '.row.stored', 'later')
    await shows(page, '.status-word', 'Connected, nothing missed')
    await page.clock.fastForward(6_000)
    await shows(page, '.status-word', /^Connected$/)
  })

  t.test('posts that wait for the server survive a reload, and are stored once', async (t) => {
    const port = await listen(await build(t))
    const tunnel = await proxy(t, port)
    const { page } = await openPatient(t, `http://127.0.0.1:${tunnel.port}/demo/`)
    await say(page, 'first')
    tunnel.silence()
    await post(page, 'second')
    await post(page, 'third')
    await page.locator('.row.pending').nth(1).waitFor()
    await saved(page, 2)
    tunnel.cut()
    await page.reload()
    await shows(page, '.row.stored', 'third')
    await nonePending(page)
    t.strictSame(await texts(page), ['first', 'second', 'third'])
  })

  t.test('posts before the first connection wait, at most 100, also over a reload', async (t) => {
    const { page, reload } = await openRefused(t)
    await page.locator('.field').evaluate((field: HTMLTextAreaElement) => {
      for (let i = 1; i <= 101; i++) {
        field.value = `message ${i}.`
        field.dispatchEvent(new Event('input'))
        field.form!.requestSubmit()
      }
    })
    await notice(page, 'Cannot send: 100 messages are already waiting')
    t.equal(await page.locator('.field').inputValue(), 'message 101.', 'the typed text is kept')
    await page.locator('.row.pending').nth(99).waitFor()
    await reload()
    await shows(page, '.row.stored', 'message 100.')
    await nonePending(page)
    t.strictSame(await texts(page), Array.from({ length: 100 }, (_, i) => `message ${i + 1}.`))
  })

  t.test('posts that waited over a reload are not sent again when their room is left and opened', async (t) => {
    const { page, reload } = await openRefused(t)
    await post(page, 'once')
    await shows(page, '.row.pending', 'once')
    await reload()
    await shows(page, '.row.stored', 'once')
    await openRoom(page, 'tea')
    await page.getByRole('button', { name: 'Leave den' }).click()
    await openRoom(page, 'den')
    await say(page, 'after')
    t.strictSame(await texts(page), ['once', 'after'])
  })

  t.test('after a server lost its data, the messages stay above a gap, and waiting ones are kept', async (t) => {
    const server = await serveApart(t)
    const { page } = await openPatient(t, `http://127.0.0.1:${server.port}/`)
    await say(page, 'before the restart')
    await server.kill()
    await notice(page, 'Connection lost: the server did not answer. Trying again')
    await post(page, 'kept')
    await shows(page, '.row.pending', 'kept')
    await serveApart(t, { port: server.port })
    await shows(page, '.row.stored', 'kept')
    t.strictSame(await page.locator('.earlier .text').allTextContents(), ['before the restart'])
    t.equal(await page.locator('.gap').isVisible(), true)
    t.strictSame(await texts(page), ['kept'])
    await page.getByRole('button', { name: 'Hide them' }).click()
    await page.locator('.gap').waitFor({ state: 'hidden' })
  })

  t.test('the page retries while the server is down, and Reconnect now skips the delay', async (t) => {
    const server = await serveApart(t)
    const { page } = await openPatient(t, `http://127.0.0.1:${server.port}/`)
    t.equal(await page.locator('.notice').isVisible(), false)
    await server.kill()
    await notice(page, 'Connection lost')
    await shows(page, '.countdown', /^ in [4-9] s\.$/)
    await serveApart(t, { port: server.port })
    await page.getByRole('button', { name: 'Reconnect now' }).focus()
    await page.keyboard.press('Enter')
    await connected(page)
    t.equal(await page.locator('.notice').isVisible(), false)
    t.equal(await page.evaluate(() => document.activeElement?.className), 'field', 'the focus is kept when the button goes')
  })

  t.test('a kick is explained and keeps the typed text, and the user can connect again', async (t) => {
    let id = ''
    const app = await build(t, { onJoin (member) { id = member.id } })
    const { page } = await openPage(t, browser, `http://127.0.0.1:${await listen(app)}/demo/`, { name: 'ada' })
    await say(page, 'WHAT')
    await app.chat.kick(id, { reason: 'shouting' })
    await notice(page, 'You are disconnected: the server has removed you (shouting).')
    await post(page, 'but')
    await notice(page, 'Not sent: you are disconnected.')
    t.equal(await page.locator('.field').inputValue(), 'but', 'the typed text is kept')
    t.strictSame(await texts(page), ['WHAT'])
    await page.getByRole('button', { name: 'Connect again' }).click()
    await connected(page)
    await page.locator('.field').press('Enter')
    await shows(page, '.row.stored', 'but')
    t.strictSame(await texts(page), ['WHAT', 'but'])
  })

  t.test('posts that wait when the server closes the client are sent after Connect again', async (t) => {
    let id = ''
    const app = await build(t, { onJoin (member) { id = member.id } })
    const port = await listen(app)
    const tunnel = await proxy(t, port)
    const { page } = await openPage(t, browser, `http://127.0.0.1:${tunnel.port}/demo/`, { name: 'ada' })
    await say(page, 'first')
    tunnel.target = undefined
    tunnel.cut()
    await notice(page, 'Connection lost')
    await post(page, 'second')
    await shows(page, '.row.pending', 'second')
    await app.chat.ban(id, { duration: 60_000, reason: 'noise' })
    tunnel.target = port
    await reconnect(page)
    await notice(page, 'You are disconnected: the server has removed you')
    t.strictSame(await texts(page), ['first', 'second'])
    await app.chat.unban(id)
    await page.getByRole('button', { name: 'Connect again' }).click()
    await page.locator('.row.own.stored', { hasText: 'second' }).waitFor()
    t.strictSame(await texts(page), ['first', 'second'])
  })

  t.test('a refused room and a removal are explained, and the room can be joined again', async (t) => {
    let allowed = false
    let id = ''
    const app = await build(t, { authorize: ({ room }) => room !== 'secret' || allowed, onJoin (member) { id = member.id } })
    const { page } = await openPage(t, browser, `http://127.0.0.1:${await listen(app)}/demo/?room=secret`, { name: 'ada' })
    await shows(page, '.status-word', 'Not in this room')
    await notice(page, "This room can't be joined")
    allowed = true
    await page.getByRole('button', { name: 'Join again' }).click()
    await connected(page)
    await say(page, 'hello')
    await app.chat.removeMember('secret', id, { reason: 'no guests' })
    await notice(page, 'You were removed from this room: no guests')
    await post(page, 'wait')
    t.equal(await page.locator('.field').inputValue(), 'wait')
    await page.getByRole('button', { name: 'Join again' }).click()
    await connected(page)
  })

  t.test('a reload keeps the member, and a duplicated tab has another one', async (t) => {
    const { page } = await openPage(t, browser, `http://127.0.0.1:${await listen(await build(t))}/demo/?room=den`, { name: 'ada' })
    await say(page, 'hello')
    await page.reload()
    await connected(page)
    await page.locator('.row.own', { hasText: 'hello' }).waitFor()
    t.equal(await text(page.locator('#people-title')), '1 here')
    // A duplicated tab receives a copy of sessionStorage, as here.
    const [copy] = await Promise.all([page.context().waitForEvent('page'), page.evaluate('void window.open(location.href)')])
    await shows(copy, '.row.other', 'hello')
    await shows(page, '#people-title', '2 here')
  })

  t.test('a server that is there but full is explained', async (t) => {
    const url = `http://127.0.0.1:${await listen(await build(t, { limits: { connections: 1 } }))}/demo/`
    const first = await openPage(t, browser, url, { name: 'ada' })
    await connected(first.page)
    const { page } = await openPage(t, browser, url, { name: 'bob' })
    await notice(page, 'Could not connect: the server responds, but accepts no new connection. It may be full.')
    await first.page.close()
    await reconnect(page)
    await connected(page)
  })

  t.test('a later visit keeps the member, and sends the posts that waited', async (t) => {
    const port = await listen(await build(t))
    const tunnel = await proxy(t, port)
    const { page } = await openPatient(t, `http://127.0.0.1:${tunnel.port}/demo/`)
    await say(page, 'first')
    tunnel.target = undefined
    tunnel.cut()
    await notice(page, 'Connection lost')
    await post(page, 'second')
    await shows(page, '.row.pending', 'second')
    await saved(page, 1)
    await page.close({ runBeforeUnload: true })
    tunnel.target = port
    const later = await page.context().newPage()
    await later.goto(`http://127.0.0.1:${tunnel.port}/demo/`)
    await later.locator('.row.own.stored', { hasText: 'second' }).waitFor()
    await later.locator('.row.own', { hasText: 'first' }).waitFor()
    t.strictSame(await texts(later), ['first', 'second'])
  })

  t.test('without the compiled client, page and log report it once', async (t) => {
    const folder = directory(t)
    for (const name of ['src', 'public', 'package.json', 'tsconfig.json']) await cp(join(checkout, name), join(folder, name), { recursive: true })
    await symlink(join(checkout, 'node_modules'), join(folder, 'node_modules'))
    const server = await serveApart(t, { folder })
    const context = await browser.newContext()
    t.teardown(() => context.close())
    const { page } = watch(await context.newPage())
    await page.goto(`http://127.0.0.1:${server.port}/`)
    await shows(page, '#page-error', 'npm run build')
    t.equal(await page.locator('.pane').isVisible(), false)
    t.equal((await server.kill()).stdout.split('its client is not compiled').length - 1, 1)
  })

  t.end()
})
