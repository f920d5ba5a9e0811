import t, { type Test } from 'tap'
import { launch, skip } from '../support/chromium.ts'
import { buttonOf, openProof, post, shows } from './proof-window.ts'

// Playwright's waits have a timeout and a message of their own, so this one must not expire first.
t.setTimeout(600_000)

t.test('the wire tab', { skip }, async (t) => {
  const browser = await launch()
  t.teardown(() => browser.close())

  async function openWire (t: Test) {
    const window = await openProof(t, browser, {}, { permissions: ['clipboard-read', 'clipboard-write'] })
    await window.drawer.getByRole('tab', { name: 'Wire' }).click()
    await shows(window.drawer, '.frames .type', 'joined')
    const types = () => window.drawer.locator('.frames .type').allTextContents()
    return { ...window, types }
  }

  t.test('all frames since the page was opened are listed, with direction and size', async (t) => {
    const { page, drawer, types, complaints } = await openWire(t)
    t.strictSame((await types()).slice(0, 4), ['hello', 'welcome', 'join', 'joined'])
    await post(page, 'hi')
    await shows(drawer, '.frames .type', 'ack')
    const frame = drawer.locator('.frames li', { hasText: 'post' })
    t.equal(await frame.locator('.arrow').getAttribute('aria-label'), 'sent')
    await frame.locator('summary').click()
    const json = await frame.locator('pre').textContent()
    t.match(JSON.parse(json!), { type: 'post', room: 'den', text: 'hi' })
    const size = Buffer.byteLength(JSON.stringify(JSON.parse(json!)))
    t.equal(await frame.locator('.size').textContent(), `${size} B`)
    t.strictSame(complaints, [])
  })

  t.test('a frame links to its message, and a message to its frames', async (t) => {
    const { page, drawer, types } = await openWire(t)
    await post(page, 'first')
    await post(page, 'second')
    const row = page.locator('[data-position]', { hasText: 'first' })
    await row.waitFor()
    await page.locator('[data-position]', { hasText: 'second' }).waitFor()
    const frame = drawer.locator('.frames li', { hasText: /message.*first/ })
    await frame.locator('summary').click()
    await buttonOf(drawer, 'Show the message').click()
    await page.locator('[data-position].highlight', { hasText: 'first' }).waitFor()

    await row.hover()
    await row.locator('.more').click()
    await page.getByRole('menuitem', { name: 'Show frames' }).click()
    await shows(drawer, '[role=status]', 'Frames of this message: 3.')
    t.strictSame((await types()).sort(), ['ack', 'message', 'post'])
    await buttonOf(drawer, 'Show all frames').click()
    t.ok((await types()).length > 3)
  })

  t.test('pause holds the list, copy omits the session, clear empties it', async (t) => {
    const { page, drawer, types } = await openWire(t)
    await buttonOf(drawer, 'Pause').click()
    const before = await types()
    await post(page, 'unseen')
    await shows(drawer, 'button', /^Continue \(\d+ new\)$/)
    t.strictSame(await types(), before)
    await drawer.getByRole('button', { name: /^Continue/ }).click()
    await shows(drawer, '.frames .type', 'ack')

    await buttonOf(drawer, 'Copy').click()
    await shows(drawer, '[role=status]', 'frames copied')
    const copied = await page.evaluate(() => navigator.clipboard.readText())
    t.match(copied, /^\S+Z <- \{"type":"welcome".*"session":"\(hidden\)"/m)
    t.match(copied, /^\S+Z -> \{"type":"post".*unseen/m)
    await buttonOf(drawer, 'Clear').click()
    t.strictSame(await types(), [])
  })

  t.test('the list is bounded', async (t) => {
    const { app, drawer, types } = await openWire(t)
    for (let i = 0; i < 600; i++) void app.chat.publish('den', { text: `message ${i}` })
    await shows(drawer, '.frames .words', 'message 599')
    t.equal(await drawer.locator('.frames > li').count(), 300)
    t.equal((await types()).includes('hello'), false)
  })

  t.end()
})
