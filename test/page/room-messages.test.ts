import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { memory, type FastifyChatOptions } from '../../src/index.ts'
import { build, listen, type App } from '../support/app.ts'
import { launch, skip } from '../support/chromium.ts'
import { gate } from '../support/gate.ts'
import { connected, drawn, items, openPage, post, say, shows, texts, type PageWindowOptions } from './page-window.ts'

// Playwright's waits have a timeout and a message of their own, so this one must not expire first.
t.setTimeout(600_000)

const bot = { id: 'bot', name: 'bot' }

t.test('the messages of a room', { skip }, async (t) => {
  const browser = await launch()
  t.teardown(() => browser.close())

  async function start (t: Test, options: FastifyChatOptions = {}): Promise<{ app: App, url: string, open: (name?: string, options?: PageWindowOptions) => ReturnType<typeof openPage> }> {
    const app = await build(t, options)
    const url = `http://127.0.0.1:${await listen(app)}/demo/`
    return { app, url, open: (name, options = {}) => openPage(t, browser, `${url}?room=den`, { ...name !== undefined && { name }, ...options }) }
  }

  async function publish (app: App, from: number, to: number): Promise<void> {
    for (let i = from; i <= to; i++) await app.chat.publish('den', { text: `message ${i}.`, from: bot })
  }

  t.test('two windows exchange messages over one connection each, without console errors', async (t) => {
    const { app, open } = await start(t)
    const ada = await open('ada')
    const bob = await open('bob')
    await Promise.all([ada, bob].map(({ page }) => connected(page)))
    await bob.page.reload()
    await connected(bob.page)
    await say(ada.page, 'good morning')
    await shows(bob.page, '.row.other', 'good morning')
    await say(bob.page, 'and to you')
    await shows(ada.page, '.row.other', 'and to you')
    t.strictSame(await items(ada.page), ['ada (you): good morning', 'bob: and to you'])
    t.strictSame(await items(bob.page), ['ada: good morning', 'bob (you): and to you'])
    t.equal(await bob.page.locator('.row time').count(), 2)
    for (const { page, complaints, sockets } of [ada, bob]) {
      t.strictSame(complaints, [])
      t.equal(sockets.length, page === bob.page ? 2 : 1, 'one for each time that the page was loaded')
    }
    t.strictSame(app.chat.stats().refusals, {}, 'nothing is refused, not even in the empty room')
  })

  t.test('HTML in a name or a message is shown as text and runs nothing', async (t) => {
    const { open } = await start(t)
    const markup = '<img src=x onerror=hacked=1>'
    // The page's policy is off, because it would hide an attempt to run a script.
    const reader = await open('reader', { bypassCSP: true })
    const writer = await open(markup, { bypassCSP: true })
    await connected(reader.page)
    await say(writer.page, markup)
    for (const { page, complaints } of [reader, writer]) {
      await shows(page, '.row .text', markup)
      await shows(page, '#people li', markup)
      t.equal(await page.locator('img').count(), 0)
      t.equal(await page.evaluate('typeof hacked'), 'undefined')
      t.strictSame(complaints, [])
    }
  })

  t.test('the policy of the page prevents that a script sets HTML', async (t) => {
    const { open } = await start(t)
    const { page } = await open('ada')
    await connected(page)
    t.match(await page.evaluate(() => {
      try {
        document.body.innerHTML = '<p>markup</p>'
        return ''
      } catch (error) {
        return String(error)
      }
    }), /TrustedHTML/)
    t.equal(await page.locator('.pane').count(), 1)
  })

  t.test('http links, code and emoji-only messages are formatted, and other text is not', async (t) => {
    const { app, open } = await start(t)
    const { page } = await open('ada')
    await connected(page)
    await app.chat.publish('den', { text: 'See (https://example.com/a?b=1), or javascript:alert(1). `npm i`\n```js\nconst a = 1\n```', from: bot })
    await app.chat.publish('den', { text: '👩‍💻 👍', from: bot })
    await page.locator('.row .large').waitFor()
    t.strictSame(await page.locator('.row a').evaluateAll((links) => links.map((link) => [link.getAttribute('href'), link.getAttribute('rel')])),
      [['https://example.com/a?b=1', 'noopener noreferrer']])
    t.strictSame(await page.locator('.row code, .row pre').allTextContents(), ['npm i', 'const a = 1'])
    const copied = await page.locator('.rows').evaluate((rows) => {
      getSelection()!.selectAllChildren(rows)
      return getSelection()!.toString()
    })
    t.match(copied, 'See (https')
    t.notMatch(copied, /\d:\d\d/, 'copied text has no times')
    t.equal((await texts(page))[0], 'See (https://example.com/a?b=1), or javascript:alert(1). npm i\nconst a = 1')
  })

  t.test('a room opens at its newest message, and older pages keep the scroll position', async (t) => {
    const { app, open } = await start(t)
    await publish(app, 1, 130)
    const { page, complaints } = await open('ada')
    await shows(page, '.row', 'message 130.')
    const scroller = page.locator('.scroller')
    t.equal(await gapBelowNewest(page), 0)

    const topOf = (message: string) => page.locator('.row', { hasText: message }).evaluate((row) => Math.round(row.getBoundingClientRect().top))
    await page.mouse.move(600, 300)
    await scroller.evaluate((element) => { element.scrollTop = 250 })
    await scroller.evaluate((element) => { element.scrollTop = 200 })
    const before = await topOf('message 90.')
    await page.locator('.row', { hasText: 'message 31.' }).waitFor({ state: 'attached' })
    t.equal(await topOf('message 90.'), before, 'the text being read stays in place')

    await publish(app, 131, 133)
    await shows(page, '.newest', '3 new')
    t.equal(await topOf('message 90.'), before, "a new message doesn't move it")
    await page.locator('.newest').click()
    await page.locator('.newest').waitFor({ state: 'hidden' })
    t.equal(await gapBelowNewest(page), 0)
    t.equal(await page.evaluate(() => document.activeElement?.className), 'field')

    await scroller.evaluate((element) => { element.scrollTop = 200 })
    await page.locator('.newest').waitFor()
    await say(page, 'mine')
    t.equal(await gapBelowNewest(page), 0, 'an own post shows the newest message')
    t.strictSame(complaints, [])
  })

  t.test('Escape in the field shows the newest message, unless it ends an edit or closes a sheet', async (t) => {
    const { app, open } = await start(t, { backend: memory({ historyEntries: 2_000 }) })
    await publish(app, 1, 300)
    const { page } = await open('ada', { viewport: { width: 390, height: 664 } })
    await say(page, 'mine')
    const newest = page.locator('.newest')
    const scrollUp = async () => {
      await page.locator('.scroller').evaluate((element) => { element.scrollTop = 100 })
      await newest.waitFor()
    }
    await scrollUp()
    await page.keyboard.press('ArrowUp')
    await shows(page, '.editing:not([hidden])', 'Editing')
    await page.keyboard.press('Escape')
    await page.locator('.editing').waitFor({ state: 'hidden' })
    await drawn(page)
    t.equal(await newest.isVisible(), true, 'the edit takes the first one')
    await page.keyboard.press('Escape')
    await newest.waitFor({ state: 'hidden' })
    t.equal(await gapBelowNewest(page), 0)

    await scrollUp()
    await page.getByRole('button', { name: 'Rooms and people' }).click()
    await page.locator('.field').focus()
    await page.keyboard.press('Escape')
    await page.locator('#side').waitFor({ state: 'hidden' })
    await drawn(page)
    t.equal(await newest.isVisible(), true, 'the sheet takes the first one')
    await page.keyboard.press('Escape')
    await newest.waitFor({ state: 'hidden' })
    t.equal(await gapBelowNewest(page), 0)
  })

  t.test('all messages of a long room can be reached both ways, with a bounded number of elements', async (t) => {
    const { app, open } = await start(t, { backend: memory({ historyEntries: 2_000 }) })
    await publish(app, 1, 700)
    const { page } = await open('ada')
    await shows(page, '.row', 'message 700.')
    const scroll = (end: 'top' | 'end') => page.locator('.scroller').evaluate((element, end) => {
      element.scrollTop = end === 'top' ? element.scrollTop - 1 : element.scrollTop
      element.scrollTop = end === 'top' ? 0 : element.scrollHeight
    }, end)
    const walk = async (end: 'top' | 'end', to: string) => {
      const seen = new Set<string>()
      while (!seen.has(to)) {
        const shown = await texts(page)
        for (const text of shown) seen.add(text)
        if (shown.length > 400) t.fail(`${shown.length} rows`)
        await scroll(end)
        await drawn(page)
      }
      return seen
    }
    t.equal((await walk('top', 'message 1.')).size, 700)
    t.equal(await page.locator('.row', { hasText: 'message 700.' }).count(), 0)
    const topOf = (message: string) => page.locator('.row', { hasText: message }).evaluate((row) => Math.round(row.getBoundingClientRect().top))
    await drawn(page)
    const before = await topOf('message 5.')
    await publish(app, 701, 750)
    await shows(page, '.newest', '50 new')
    t.equal(await topOf('message 5.'), before, 'new messages move nothing at the other end')
    await walk('end', 'message 750.')
    await page.locator('.newest').waitFor({ state: 'hidden' })
  })

  t.test('a burst of messages is drawn with few layouts', async (t) => {
    const { app, open } = await start(t, { backend: memory({ historyEntries: 2_000 }) })
    await publish(app, 1, 300)
    const { page } = await open('ada')
    await shows(page, '.row', 'message 300.')
    const cdp = await page.context().newCDPSession(page)
    await cdp.send('Performance.enable')
    const layouts = async () => (await cdp.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'LayoutCount')!.value
    const before = await layouts()
    for (let i = 1; i <= 1_000; i++) {
      await app.chat.publish('den', { text: `burst ${i}.`, from: bot })
      // In a tick of its own, because the messages of one tick are one change.
      await setImmediate()
    }
    await shows(page, '.row', 'burst 1000.')
    const count = await layouts() - before
    t.ok(count < 500, `${count} layouts for 1,000 messages`)
  })

  t.test('an own post is shown as sending after 400 ms, and keeps its size when it is stored', async (t) => {
    const { pass, open: store, reached } = gate()
    t.teardown(store)
    const { open } = await start(t, {
      async prePost (draft) {
        await pass()
        return draft
      }
    })
    const { page } = await open('ada')
    await connected(page)
    await post(page, 'mine')
    await reached
    const row = page.locator('.row')
    const size = () => row.evaluate((element) => [element.getBoundingClientRect().width, element.getBoundingClientRect().height])
    const pending = await size()
    t.strictSame(await row.locator('.state').evaluate((state) => [300, 500].map((ms) => {
      const animation = state.getAnimations()[0]!
      animation.pause()
      animation.currentTime = ms
      return getComputedStyle(state).visibility
    })), ['hidden', 'visible'])
    store()
    await page.locator('.row.stored').waitFor()
    t.strictSame(await size(), pending)
  })

  t.test('a member can imitate neither the server nor the mark of another member', async (t) => {
    const { app, open } = await start(t)
    const { page } = await open('ada')
    await connected(page)
    const names = ['Server', 'Ada #k3f2', 'Ada', 'ada ', 'Bob', 'Cid']
    for (const [i, name] of names.entries()) await app.chat.publish('den', { text: 'hello', from: { id: `m${i}`, name: name.trim() } })
    await app.chat.publish('den', { text: 'from the app' })
    await shows(page, '.row', 'from the app')
    t.strictSame(await page.locator('.row.server').evaluateAll((rows) => rows.map((row) => row.querySelector('.face') === null && row.querySelector('.text')!.textContent)), ['from the app'])
    t.equal(await page.locator('.row', { hasText: 'Server' }).first().locator('.face').count(), 1)
    t.equal(await page.locator('.row', { hasText: 'Ada #k3f2' }).locator('.mark').count(), 0)
    const colours = await page.locator('.row .name[data-colour]').evaluateAll((all) => all.map((name) => (name as HTMLElement).dataset['colour']))
    t.equal(new Set(colours).size, names.length, 'each has a colour of its own')
  })

  t.test('a streamed message grows in its place, and one that is cut is marked', async (t) => {
    const { app, open } = await start(t)
    const { page, complaints } = await open('ada')
    await connected(page)
    const stream = app.chat.createWriteStream('den', { from: bot })
    await shows(page, '.row', '…')
    t.equal(await page.locator('.row').getAttribute('aria-busy'), 'true')
    await app.chat.publish('den', { text: 'meanwhile' })
    stream.write('to be ')
    await shows(page, '.row', 'to be ')
    stream.end('or not')
    await shows(page, '.row[aria-busy=false]', 'to be or not')
    t.strictSame(await items(page), ['bot: to be or not', 'Server: meanwhile'])
    await app.chat.delete('den', stream.position!)
    await shows(page, '.row.deleted', '(deleted)')
    const cut = app.chat.createWriteStream('den')
    await new Promise((resolve) => cut.write('so far', resolve))
    cut.destroy()
    await shows(page, '.row[aria-busy=false]:last-child', 'so far (unfinished)')
    t.strictSame(complaints, [])
  })

  t.test('days have a line, and messages of one author are grouped', async (t) => {
    const { app, open } = await start(t)
    await publish(app, 1, 2)
    const { page } = await open('ada')
    await say(page, 'mine')
    t.strictSame(await page.locator('.divider').allTextContents(), ['Today'])
    const shortTime = /^\d{1,2}:\d{2}( [AP]M)?$/
    for (const time of await page.locator('.row time').allTextContents()) t.match(time.replace('\u202f', ' '), shortTime)
    t.strictSame(await page.locator('.row').evaluateAll((rows) => rows.map((row) => row.classList.contains('continued'))), [false, true, false])
    await page.clock.setFixedTime(Date.now() + 86_400_000)
    await page.reload()
    await shows(page, '.divider.day', 'Yesterday')
    for (const time of await page.locator('.row time').allTextContents()) t.match(time.replace('\u202f', ' '), shortTime, 'the day is not repeated')
  })

  t.test('an own message is edited with the Up arrow, and deleted after a confirmation', async (t) => {
    const { app, open } = await start(t)
    const ada = await open('ada')
    const bob = await open('bob')
    await connected(bob.page)
    await say(ada.page, 'good mornign')
    await ada.page.keyboard.press('ArrowUp')
    await shows(ada.page, '.editing', 'Editing')
    t.equal(await ada.page.locator('.field').inputValue(), 'good mornign')
    await ada.page.keyboard.press('Escape')
    t.equal(await ada.page.locator('.field').inputValue(), '')
    await ada.page.keyboard.press('ArrowUp')
    await post(ada.page, 'good morning')
    await shows(bob.page, '.row', 'good morning')
    await shows(bob.page, '.row .state', 'edited')

    await openMenu(ada.page, 'good morning')
    await ada.page.getByRole('menuitem', { name: 'Delete' }).click()
    await ada.page.getByRole('button', { name: 'Cancel' }).click()
    t.equal((await app.chat.history('den')).entries.at(0)?.deleted, undefined)
    await openMenu(ada.page, 'good morning')
    await ada.page.getByRole('menuitem', { name: 'Delete' }).click()
    await ada.page.getByRole('button', { name: 'Delete' }).click()
    await shows(bob.page, '.row.deleted', '(deleted)')
  })

  t.test('reactions are added and removed by the menu and by their buttons', async (t) => {
    const { open } = await start(t)
    const ada = await open('ada')
    const bob = await open('bob')
    await say(ada.page, 'lunch?')
    await shows(bob.page, '.row', 'lunch?')
    t.equal(await bob.page.getByRole('menuitem', { name: 'Delete' }).count(), 0)
    await openMenu(bob.page, 'lunch?')
    await bob.page.getByRole('menuitem', { name: 'React with 🎉' }).click()
    await shows(ada.page, '.reactions button[aria-pressed=false]', '🎉1')
    await ada.page.locator('.reactions button').click()
    await shows(bob.page, '.reactions button[aria-pressed=true]', '🎉2')
    await bob.page.locator('.reactions button').click()
    await shows(bob.page, '.reactions button[aria-pressed=false]', '🎉1')
  })

  t.test('a message that the app changes replaces the typed text', async (t) => {
    const { open } = await start(t, { prePost: (draft) => ({ text: String(draft.text).replace('darn', '****') }) })
    const { page } = await open('ada')
    await post(page, 'darn it')
    await shows(page, '.row.stored', '**** it')
    t.strictSame(await texts(page), ['**** it'])
  })

  t.test('right-to-left text is laid out from the right, with its time in order', async (t) => {
    const { app, open } = await start(t)
    const { page } = await open('ada')
    await say(page, 'שלום עולם')
    // A mark of Latin letters follows the name.
    for (const id of ['m1', 'm2']) await app.chat.publish('den', { text: 'בוקר טוב', from: { id, name: 'דנה' } })
    await shows(page, '.row .name', /דנה.*#/)
    const fits = (selector: string) => page.locator(selector).evaluateAll((all) => all.map((element) => element.matches(':dir(rtl)')))
    t.strictSame(await fits('.row .text'), [true, true, true])
    t.strictSame(await fits('.row time'), [false, false, false])
  })

  t.end()
})

/** Resolves with the px by which the newest row is cut off. */
async function gapBelowNewest (page: import('playwright-core').Page): Promise<number> {
  return await page.evaluate(() => {
    const bottom = document.querySelector('.rows > .row:last-child')!.getBoundingClientRect().bottom
    return Math.max(0, Math.round(bottom - document.querySelector('.scroller')!.getBoundingClientRect().bottom))
  })
}

async function openMenu (page: import('playwright-core').Page, message: string): Promise<void> {
  const row = page.locator('.row', { hasText: message })
  await row.hover()
  await row.getByRole('button', { name: 'Actions' }).click()
}
