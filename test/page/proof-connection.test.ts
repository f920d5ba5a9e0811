import t from 'tap'
import type { App } from '../support/app.ts'
import { launch, skip } from '../support/chromium.ts'
import { gate } from '../support/gate.ts'
import { buttonOf, dots, openProof, post, shows } from './proof-window.ts'

// Playwright's waits have a timeout and a message of their own, so this one must not expire first.
t.setTimeout(600_000)

/** Resolves with the texts that the server has stored. */
const texts = async (app: App) => (await app.chat.history('den')).entries.map(({ text }) => text)

t.test('the connection tab', { skip }, async (t) => {
  const browser = await launch()
  t.teardown(() => browser.close())

  t.test('after a disconnect, bot messages and a reconnect, the summary has the correct numbers', async (t) => {
    const { app, page, drawer, complaints } = await openProof(t, browser)
    await shows(drawer, '.state', 'connected')
    await post(page, 'before')
    await page.locator('[data-position]', { hasText: 'before' }).waitFor()
    await buttonOf(drawer, 'Disconnect').click()
    await shows(drawer, '.state', 'disconnected')
    await post(page, 'mine 1')
    await post(page, 'mine 2')
    await buttonOf(drawer, 'Send bot messages').click()
    await shows(drawer, 'button', /^Send bot messages$/)
    t.strictSame(await dots(drawer), [...Array(5).fill('missed'), 'pending', 'pending'])
    await shows(drawer, '.sentence', /Disconnected for .* 5 messages are stored on the server .* 2 of your posts are waiting\./)

    await buttonOf(drawer, 'Reconnect').click()
    await shows(drawer, '.sentence', /^Disconnected for [\d.]+ s\. 5 missed messages arrived\. Your 2 posts are stored once each\. The order matches the server, with no gaps\.$/)
    t.strictSame(await dots(drawer), Array(7).fill('stored'))
    const { entries } = await app.chat.history('den')
    t.equal(entries.length, 8)
    t.strictSame(entries.slice(-2).map(({ text }) => text), ['mine 1', 'mine 2'])
    t.strictSame(complaints, [])
  })

  t.test('Reconnect now above the field connects again after a disconnect in the drawer', async (t) => {
    const { page, drawer, complaints } = await openProof(t, browser)
    await shows(drawer, '.state', 'connected')
    await buttonOf(drawer, 'Disconnect').click()
    await shows(drawer, '.state', 'disconnected')
    await page.getByRole('button', { name: 'Reconnect now' }).click()
    await shows(drawer, '.state', 'connected')
    t.strictSame(complaints, [])
  })

  t.test('a post whose acknowledgement is lost is sent again and stored once', async (t) => {
    const { app, page, drawer } = await openProof(t, browser)
    await shows(drawer, '.state', 'connected')
    await buttonOf(drawer, 'Lose the next acknowledgement').click()
    await post(page, 'once')
    await shows(drawer, '.sentence', /^The acknowledgement was lost\. Disconnected for [\d.]+ s\. No message was missed\. Your post is stored once\. It was sent again, with the same id\./)
    t.strictSame(await texts(app), ['once'])
    await drawer.getByRole('tab', { name: 'Wire' }).click()
    await shows(drawer, '.frames [data-delivery=lost]', 'ack')
  })

  t.test('no frame passes while packets are dropped, and the connection then continues', async (t) => {
    const { app, page, drawer } = await openProof(t, browser)
    await shows(drawer, '.state', 'connected')
    await post(page, 'before')
    await page.locator('[data-position]', { hasText: 'before' }).waitFor()
    await buttonOf(drawer, 'Drop packets').click()
    await post(page, 'held')
    await app.chat.publish('den', { text: 'from the server' })
    await shows(drawer, '.sentence', /^Packets have been dropped for [1-9][\d.]* s\. 1 of your posts is waiting\./)
    t.strictSame(await texts(app), ['before', 'from the server'])
    await buttonOf(drawer, 'Stop dropping packets').click()
    await shows(drawer, '.sentence', /^Packets were dropped for [1-9][\d.]* s\. The connection survived\. 1 message arrived late\. Your post is stored once\. The order matches the server, with no gaps\.$/)
    t.strictSame(await texts(app), ['before', 'from the server', 'held'])
  })

  t.test('posts on a half-open connection are sent again after a reconnect, and stored once', async (t) => {
    const { app, page, drawer } = await openProof(t, browser)
    await shows(drawer, '.state', 'connected')
    await buttonOf(drawer, 'Drop packets').click()
    await post(page, 'held')
    // The client checks the connection at this event, and gives it up after 2 s.
    await page.evaluate(() => window.dispatchEvent(new Event('online')))
    await page.locator('.pane .status-word', { hasNotText: 'Connected' }).waitFor()
    await buttonOf(drawer, 'Reconnect').click()
    await shows(drawer, '.sentence', /Disconnected for [\d.]+ s\. .*Your post is stored once\. It was sent again, with the same id\./)
    t.strictSame(await texts(app), ['held'])
  })

  t.test('a connection that is lost again before a post is answered belongs to the same outage', async (t) => {
    const { pass, open, reached } = gate()
    t.teardown(open)
    const { app, page, drawer } = await openProof(t, browser, {
      async prePost (draft) {
        await pass()
        return draft
      }
    })
    await shows(drawer, '.state', 'connected')
    await buttonOf(drawer, 'Disconnect').click()
    await post(page, 'mine')
    for (const text of ['one', 'two']) {
      await app.chat.publish('den', { text })
      await buttonOf(drawer, 'Reconnect').click()
      await page.locator('[data-position]', { hasText: text }).waitFor()
      await reached
      if (text === 'one') await buttonOf(drawer, 'Disconnect').click()
    }
    open()
    await shows(drawer, '.sentence', /^Disconnected for [\d.]+ s\. 2 missed messages arrived\. Your post is stored once\. It was sent again, with the same id\./)
    t.strictSame(await texts(app), ['one', 'two', 'mine'])
  })

  t.test('if the server has lost the room, the summary reports it', async (t) => {
    const { app, page, drawer } = await openProof(t, browser)
    await shows(drawer, '.state', 'connected')
    await post(page, 'before')
    await page.locator('[data-position]', { hasText: 'before' }).waitFor()
    await buttonOf(drawer, 'Disconnect').click()
    await app.chat.clear('den')
    await buttonOf(drawer, 'Reconnect').click()
    await shows(drawer, '.sentence', /The server no longer has all missed messages and reports this \(complete: false\)\./)
  })

  t.test('a click on a dot marks its message', async (t) => {
    const { page, drawer } = await openProof(t, browser)
    await shows(drawer, '.state', 'connected')
    await buttonOf(drawer, 'Disconnect').click()
    await post(page, 'marked')
    await buttonOf(drawer, 'Reconnect').click()
    await drawer.locator('.dot[data-state=stored]').first().click()
    await page.locator('[data-position].highlight', { hasText: 'marked' }).waitFor()
  })

  t.test('a second person is a client of its own, with its own connection', async (t) => {
    const { page, drawer, sockets } = await openProof(t, browser)
    await shows(drawer, '.state', 'connected')
    t.equal(sockets.length, 1, 'one connection until then')
    await buttonOf(drawer, 'Add a second person here').click()
    await shows(drawer, '.person h2', 'Bea')
    await shows(drawer, '.person:nth-of-type(2) .state', /^connected/)
    t.equal(sockets.length, 2)
    await buttonOf(drawer.locator('.person').first(), 'Disconnect').click()
    await post(page, 'for the first one', 1)
    await page.locator('.pane').nth(1).locator('[data-position]', { hasText: 'for the first one' }).waitFor()
    t.strictSame(await dots(drawer), ['missed'])
    await buttonOf(drawer.locator('.person').first(), 'Reconnect').click()
    await shows(drawer, '.sentence', /1 missed message arrived\./)
    await page.locator('.pane').first().locator('[data-position]', { hasText: 'for the first one' }).waitFor()
    await buttonOf(drawer, 'Remove the second person').click()
    await buttonOf(drawer, 'Add a second person here').waitFor()
    t.equal(await page.locator('.pane').count(), 1)
  })

  t.end()
})
