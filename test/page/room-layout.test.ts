import t, { type Test } from 'tap'
import type { FastifyChatOptions } from '../../src/index.ts'
import { build, listen, type App } from '../support/app.ts'
import { violations, violationsInAllColours } from './axe.ts'
import { launch, skip } from '../support/chromium.ts'
import { connected, openPage, post, say, shows, type PageWindowOptions } from './page-window.ts'
import { open as openSocket } from '../support/websocket-client.ts'

// Playwright's waits have a timeout and a message of their own, so this one must not expire first.
t.setTimeout(600_000)

const phone = { isMobile: true, hasTouch: true }

t.test('the layout of the page', { skip }, async (t) => {
  const browser = await launch()
  t.teardown(() => browser.close())

  async function start (t: Test, options: FastifyChatOptions = {}): Promise<{ app: App, url: string, open: (options?: PageWindowOptions) => ReturnType<typeof openPage> }> {
    const app = await build(t, options)
    const url = `http://127.0.0.1:${await listen(app)}/demo/`
    return { app, url, open: (options = {}) => openPage(t, browser, url, { name: 'ada', ...options }) }
  }

  /** Publishes messages of two members that take turns, so that none is grouped with the one above. */
  async function talk (app: App, messages: number): Promise<void> {
    for (let i = 1; i <= messages; i++) await app.chat.publish('lobby', { text: `message ${i}.`, from: { id: `m${i % 2}`, name: `Member ${i % 2}` } })
  }

  t.test('at 1366×625 at least 12 messages are whole, with a line height of 24 px', async (t) => {
    const { app, open } = await start(t)
    await talk(app, 40)
    const { page } = await open({ viewport: { width: 1366, height: 625 } })
    await shows(page, '.row', 'message 40.')
    await connected(page)
    const { whole, lineHeight, fontSize } = await page.evaluate(() => {
      const view = document.querySelector('.scroller')!.getBoundingClientRect()
      const rows = [...document.querySelectorAll('.row')].map((row) => row.getBoundingClientRect())
      const { lineHeight, fontSize } = getComputedStyle(document.querySelector('.text')!)
      return { whole: rows.filter(({ top, bottom }) => top >= view.top && bottom <= view.bottom + 1).length, lineHeight, fontSize }
    })
    t.comment(`${whole} whole messages`)
    t.ok(whole >= 12, `${whole} messages`)
    t.strictSame({ lineHeight, fontSize }, { lineHeight: '24px', fontSize: '16px' })
  })

  for (const [what, options] of [
    ['320×568', { viewport: { width: 320, height: 568 }, ...phone }],
    ['390×664', { viewport: { width: 390, height: 664 }, ...phone }],
    ['844×390', { viewport: { width: 844, height: 390 }, ...phone }],
    ['1280×800 at 200 %', { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 }]
  ] as const) {
    t.test(`at ${what} the field and the newest message are whole, without sideways scrolling`, async (t) => {
      const { app, url, open } = await start(t)
      await openSocket(t, `${url.replace('http', 'ws').replace('demo/', 'chat')}?name=${'w'.repeat(32)}`)
      await app.chat.publish('lobby', { text: 'x'.repeat(300), from: { id: 'w', name: 'w'.repeat(32) } })
      await talk(app, 30)
      const { page } = await open({ ...options, name: 'w'.repeat(32) })
      await shows(page, '.row', 'message 30.')
      await connected(page)
      await say(page, 'y'.repeat(300))
      const [field, send, row, log] = await Promise.all(['.field', '.send', '.row:last-child', '.scroller'].map((selector) => page.locator(selector).evaluate((element) => {
        const { top, bottom, right } = element.getBoundingClientRect()
        return { top, bottom, right }
      })))
      const { width, scrollWidth } = await page.evaluate(() => ({ width: innerWidth, scrollWidth: document.documentElement.scrollWidth }))
      t.equal(field!.top > 0 && field!.bottom <= options.viewport.height && send!.right <= options.viewport.width, true, 'the field and its button')
      t.equal(row!.bottom <= log!.bottom + 1, true, 'the newest message')
      t.equal(width, options.viewport.width)
      t.ok(scrollWidth <= options.viewport.width, `${scrollWidth} px wide`)
    })
  }

  for (const [what, options] of [
    ['first visit', { drawer: true }], ['later visit', {}], ['phone', { viewport: { width: 390, height: 664 }, ...phone }]
  ] as const) {
    t.test(`loading moves nothing: layout shift below 0.1, ${what}`, async (t) => {
      const { app, open } = await start(t)
      await talk(app, 30)
      const { page } = await open({ ...options, viewport: { width: 1280, height: 800 }, ...options })
      await shows(page, '.row', 'message 30.')
      await connected(page)
      await shows(page, '#people li', 'ada')
      const shift = await page.evaluate(async () => await new Promise<number>((resolve) => {
        new PerformanceObserver((list) => {
          resolve(list.getEntries().reduce((sum, entry) => sum + (entry as unknown as { value: number }).value, 0))
        }).observe({ type: 'layout-shift', buffered: true })
        // Without any shift there is no entry.
        setTimeout(resolve, 500, 0)
      }))
      t.comment(`layout shift ${shift}`)
      t.ok(shift < 0.1, String(shift))
    })
  }

  t.test('on a phone, rooms and people are a sheet, which closes when a room is chosen', async (t) => {
    const { open } = await start(t)
    const { page } = await open({ viewport: { width: 390, height: 664 }, ...phone })
    await connected(page)
    t.equal(await page.locator('#side').isVisible(), false)
    await page.getByRole('button', { name: 'Rooms and people' }).tap()
    await shows(page, '#people li', 'ada')
    t.equal(await page.locator('#side').isVisible(), true)
    await page.getByLabel('Room to open').fill('tea')
    await page.keyboard.press('Enter')
    await shows(page, '.title', 'tea')
    t.equal(await page.locator('#side').isVisible(), false)
  })

  t.test('everything can be done with the keyboard', async (t) => {
    const { app, open } = await start(t)
    await talk(app, 3)
    const { page } = await open()
    await connected(page)
    const focused = () => page.evaluate(() => document.activeElement?.className || document.activeElement?.id || document.activeElement?.ariaLabel)
    t.equal(await focused(), 'field', 'the field has the focus from the start')
    await page.keyboard.type('by hand')
    await page.keyboard.press('Enter')
    await shows(page, '.row.stored', 'by hand')
    await page.keyboard.press('ArrowUp')
    await page.keyboard.type('!')
    await page.keyboard.press('Enter')
    await shows(page, '.row.stored', 'by hand!')

    const walkTo = async (name: string) => {
      for (let i = 0; await focused() !== name; i++) {
        if (i > 20) throw new Error(`Shift+Tab does not come to ${name}`)
        await page.keyboard.press('Shift+Tab')
      }
    }
    await walkTo('scroller')
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Enter')
    await page.getByRole('menuitem', { name: 'React with 👍' }).waitFor()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Enter')
    await shows(page, '.row .reactions button', '❤️1')
    t.match(await focused(), /^row /, 'the focus returns to the message')
    await walkTo('name-button')
    await page.keyboard.press('Enter')
    await page.keyboard.type('Countess')
    await page.keyboard.press('Enter')
    await shows(page, '.name-button', 'Countess')
    t.equal(await focused(), 'field')
  })

  t.test('with forced colours, the state of the connection and own messages can be distinguished', async (t) => {
    const { open } = await start(t)
    const { page } = await open({ forcedColors: 'active' })
    await say(page, 'mine')
    const dot = () => page.locator('.status').evaluate((status) => getComputedStyle(status, '::before').backgroundColor)
    const online = await dot()
    t.equal(await page.locator('.row.own').evaluate((row) => getComputedStyle(row).borderInlineStartWidth), '3px')
    await page.context().setOffline(true)
    await shows(page, '.status-word', 'Offline')
    t.not(await dot(), online)
  })

  t.test('in a busy room at most one summary a second is announced to screen readers', async (t) => {
    const { app, open } = await start(t)
    const { page } = await open()
    await connected(page)
    await page.evaluate(() => {
      const texts: string[] = []
      Object.assign(window, { announced: texts })
      new MutationObserver(() => texts.push(document.querySelector('.announcer')!.textContent!)).observe(document.querySelector('.announcer')!, { childList: true })
    })
    await app.chat.publish('lobby', { text: 'first', from: { id: 'm', name: 'Max' } })
    await shows(page, '.announcer', /^Max: first$/)
    await talk(app, 50)
    await shows(page, '.announcer', '50 new messages. Member 0: message 50.')
    t.strictSame(await page.evaluate('announced'), ['Max: first', '50 new messages. Member 0: message 50.'])
    t.equal(await page.getByRole('log').getAttribute('aria-live'), 'off')
  })

  for (const [device, options, find] of [
    ['computer', {}, violationsInAllColours], ['phone', { viewport: { width: 390, height: 664 }, ...phone }, violations]
  ] as const) {
    t.test(`no accessibility violations in any state: ${device}`, async (t) => {
      let id = ''
      const { app, open } = await start(t, { onJoin (member) { if (member.name === 'ada') id = member.id } })
      await talk(app, 60)
      await app.chat.publish('lobby', { text: 'See https://example.com and `code`.\n```\nblock\n```' })
      for (const name of ['ada', 'bob', 'cid', 'dan', 'eve', 'fay', 'gus', 'hal', 'ivy', 'jan', 'kim', 'lea']) {
        await app.chat.publish('lobby', { text: 'hello', from: { id: name, name } })
      }
      const { page } = await open(options)
      await connected(page)
      const check = async (state: string) => t.strictSame(await find(page), [], state)
      await say(page, 'mine')
      await check('connected')
      if (device === 'phone') {
        await page.getByRole('button', { name: 'Rooms and people' }).tap()
        await check('the sheet')
        await page.keyboard.press('Escape')
      }
      await page.locator('.row.own').hover()
      await page.locator('.row.own').getByRole('button', { name: 'Actions' }).click()
      await check('the menu')
      await page.getByRole('menuitem', { name: 'React with 👍' }).click()
      await shows(page, '.reactions button', '👍')
      await page.locator('.row.own').getByRole('button', { name: 'Actions' }).click()
      await page.getByRole('menuitem', { name: 'Delete' }).click()
      await check('the confirmation')
      await page.getByRole('button', { name: 'Cancel' }).click()
      await page.locator('.scroller').evaluate((element) => { element.scrollTop = 100 })
      await page.locator('.newest').waitFor()
      await check('scrolled up')
      await app.chat.mute(id, { duration: 60_000, reason: 'noise' })
      await post(page, 'muted')
      await page.locator('.failed summary').click()
      await check('a failed post')
      await page.context().setOffline(true)
      await post(page, 'pending')
      await shows(page, '.row.pending', 'pending')
      await check('offline')
      await page.context().setOffline(false)
      await connected(page)
      await app.chat.kick(id, { reason: 'noise' })
      await shows(page, '.notice-text', 'You are disconnected')
      await check('disconnected')
    })
  }

  t.end()
})
