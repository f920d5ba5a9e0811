import t from 'tap'
import { launch, skip } from '../support/chromium.ts'
import { eventually } from '../support/eventually.ts'
import { randomRounds } from './saved-posts-rounds.ts'
import { call, crash, sent, setUp, tabs, takeDown, type TestPage } from './saved-posts-tabs.ts'

// ms: reached only on a failure.
t.setTimeout(600_000)

/** Ends the leases of the page that has ended. They would end after minutes. Runs in the page. */
async function endLeases (): Promise<void> {
  const opened = indexedDB.open('fastify-chat')
  await new Promise((resolve) => { opened.onsuccess = resolve })
  const transaction = opened.result.transaction('leases', 'readwrite')
  transaction.objectStore('leases').clear()
  await new Promise((resolve) => { transaction.oncomplete = resolve })
}

t.test('the saved posts of a page', { skip }, async (t) => {
  const browser = await launch()
  t.teardown(() => browser.close())

  for (const isLease of [false, true]) {
    t.test(`${isLease ? 'with leases' : 'with Web Locks'}: a post is sent after a reload while the server is down`, async (t) => {
      const { app, network, url, context, texts } = await setUp(t, browser)
      const target = network.target
      if (isLease) await context.addInitScript(() => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }))
      const { open, ready } = tabs(context, url)
      const { page } = await open()
      await ready(page)
      t.equal(await page.evaluate(() => 'locks' in navigator && navigator.locks !== undefined), !isLease)
      network.silence()
      await call.write(page, ['in flight'])
      await eventually(() => app.chat.stats().posts > 0)
      takeDown(network)
      await call.write(page, ['offline'])
      await page.reload()
      t.same((await call.list(page)).map(({ text }) => text), ['in flight', 'offline'])
      if (isLease) await page.evaluate(endLeases)
      network.target = target
      await ready(page)
      await sent(page)
      t.same(await texts(), ['in flight', 'offline'])
    })
  }

  t.test('a tab sends the posts of one that has crashed, and not those of a living one', async (t) => {
    const { network, url, context, texts } = await setUp(t, browser)
    const target = network.target
    const { open, ready, twice } = tabs(context, url)
    const [one, other] = [await open(), await open()]
    await Promise.all([ready(one.page), ready(other.page)])
    takeDown(network)
    await call.write(one.page, ['one'])
    await call.write(other.page, ['other'])
    network.target = target
    await sent(one.page)
    t.same((await texts()).sort(), ['one', 'other'])
    takeDown(network)
    await call.write(one.page, ['crashed'])
    await crash(context, one)
    network.target = target
    await sent(other.page)
    t.same((await texts()).sort(), ['crashed', 'one', 'other'])
    t.same(await other.page.evaluate(() => (window as unknown as TestPage).restored), ['crashed'])
    t.same(twice, [])
  })

  t.test('a tab sends a post that was made just before the client of another tab was closed', async (t) => {
    const { url, context, texts } = await setUp(t, browser)
    const { open, ready } = tabs(context, url)
    const [one, other] = [await open(), await open()]
    await Promise.all([ready(one.page), ready(other.page)])
    await one.page.evaluate(() => (window as unknown as TestPage).writeAndClose('bye'))
    await eventually(async () => (await texts()).length === 1)
    await sent(other.page)
    t.same(await texts(), ['bye'])
  })

  t.test('without IndexedDB, posts are sent, and one error is emitted', async (t) => {
    const { url, context, texts } = await setUp(t, browser)
    await context.addInitScript(() => Object.defineProperty(window, 'indexedDB', { value: undefined }))
    const { open, ready } = tabs(context, url)
    const { page } = await open()
    await ready(page)
    await call.write(page, ['a', 'b']).catch(() => { /* not saved */ })
    await page.waitForFunction(() => (window as unknown as TestPage).errors.length > 0)
    t.match(await call.errors(page), [/IndexedDB is not available/])
    await eventually(async () => (await texts()).length === 2)
    t.same(await texts(), ['a', 'b'])
    t.equal((await call.errors(page)).length, 1)
  })

  t.test('random reloads and crashes of two tabs neither lose nor duplicate a post', async (t) => {
    await randomRounds(t, browser, 4)
  })
})
