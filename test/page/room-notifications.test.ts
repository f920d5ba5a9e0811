import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { build, listen } from '../support/app.ts'
import { launch, skip } from '../support/chromium.ts'
import { connected, openPage, shows } from './page-window.ts'

// Playwright's waits have a timeout and a message of their own, so this one must not expire first.
t.setTimeout(600_000)

/** Simulates that the tab is hidden, or shown again. */
const setVisibility = (page: Page, state: 'hidden' | 'visible') => page.evaluate((state) => {
  Object.defineProperty(document, 'visibilityState', { value: state, configurable: true })
  document.dispatchEvent(new Event('visibilitychange'))
}, state)

/** Runs in the browser: records the notifications, which a page can't list. @param works false: as in browsers of phones */
function record (works: boolean): void {
  const all: object[] = []
  Object.assign(window, {
    notified: all,
    Notification: new Proxy(Notification, {
      construct (Target, [title, options]: [string, NotificationOptions]) {
        if (!works) throw new TypeError('Illegal constructor')
        all.push({ title, body: options.body, tag: options.tag })
        return new Target(title, options)
      }
    })
  })
}

t.test('notifications of the page', { skip }, async (t) => {
  const browser = await launch('notifications')
  t.teardown(() => browser.close())

  async function start (t: Test, permissions: string[], works = true) {
    const app = await build(t)
    const { page, complaints } = await openPage(t, browser, 'about:blank', { name: 'ada', permissions })
    await page.addInitScript(record, works)
    await page.goto(`http://127.0.0.1:${await listen(app)}/demo/`)
    await connected(page)
    const publish = (text: string) => app.chat.publish('lobby', { text, from: { id: 'bob', name: 'bob' } })
    const button = page.getByRole('button', { name: 'Notify me' })
    /** Clicks the button, and waits until the browser has answered. */
    const toggle = async (pressed: boolean) => {
      await button.click()
      await page.getByRole('button', { name: 'Notify me', pressed }).waitFor()
    }
    return { page, complaints, publish, notified: () => page.evaluate('notified'), button, toggle }
  }

  t.test('if allowed, messages of a hidden page are one notification for each room', async (t) => {
    const { page, complaints, publish, notified, toggle } = await start(t, ['notifications'])
    await setVisibility(page, 'hidden')
    await publish('before')
    await shows(page, '.row', 'before')
    await setVisibility(page, 'visible')
    await toggle(true)
    await publish('visible')
    await shows(page, '.row', 'visible')
    await setVisibility(page, 'hidden')
    for (const text of ['one', 'two']) await publish(text)
    await shows(page, '.row', 'two')
    const tag = 'fastify-chat lobby'
    t.strictSame(await notified(), [{ title: 'bob in lobby', body: 'one', tag }, { title: 'bob in lobby', body: 'two', tag }], 'the second one replaces the first')
    await toggle(false)
    await publish('off')
    await shows(page, '.row', 'off')
    t.equal((await notified() as object[]).length, 2)
    t.strictSame(complaints, [])
  })

  t.test('if not allowed, there is none', async (t) => {
    const { page, publish, notified, button } = await start(t, [])
    // Headless Chromium denies every request.
    if (await button.isVisible()) await button.click()
    await setVisibility(page, 'hidden')
    await publish('one')
    await shows(page, '.row', 'one')
    t.strictSame(await notified(), [])
  })

  t.test('if the browser has none for pages, the button is hidden and messages arrive', async (t) => {
    const { page, complaints, publish, button, toggle } = await start(t, ['notifications'], false)
    await toggle(true)
    await setVisibility(page, 'hidden')
    await publish('one')
    await shows(page, '.row', 'one')
    await button.waitFor({ state: 'hidden' })
    await shows(page, '.announcer', 'bob: one')
    t.strictSame(complaints, [])
  })

  t.end()
})
