import t, { type Test } from 'tap'
import type { Page } from 'playwright-core'
import type { FastifyChatOptions } from '../../src/index.ts'
import { build, listen, type App } from '../support/app.ts'
import { launch, skip } from '../support/chromium.ts'
import { connected, items, openPage, post, say, shows, text, texts } from './page-window.ts'

// Playwright's waits have a timeout and a message of their own, so this one must not expire first.
t.setTimeout(600_000)

const value = (page: Page) => page.locator('.field').inputValue()

t.test('the field for messages', { skip }, async (t) => {
  const browser = await launch()
  t.teardown(() => browser.close())

  async function start (t: Test, options: FastifyChatOptions = {}): Promise<{ app: App, open: (name?: string, query?: string) => ReturnType<typeof openPage> }> {
    const app = await build(t, options)
    const url = `http://127.0.0.1:${await listen(app)}/demo/`
    return { app, open: (name, query = '?room=den') => openPage(t, browser, url + query, name === undefined ? {} : { name }) }
  }

  t.test('a typed name is used with the first message, kept, and changed by a click', async (t) => {
    const { open } = await start(t)
    const reader = await open('reader')
    const { page, sockets } = await open()
    await page.getByLabel('Your name', { exact: true }).fill('Zoe')
    await page.locator('.field').fill('hello')
    await page.locator('.field').press('Enter')
    await shows(reader.page, '.row', 'hello')
    t.strictSame(await items(reader.page), ['Zoe: hello'])
    await page.reload()
    await connected(page)
    t.equal(await page.getByLabel('Your name', { exact: true }).isVisible(), false)
    const connections = sockets.length
    await page.getByRole('button', { name: 'Your name: Zoe' }).click()
    await page.keyboard.press('Enter')
    await say(page, 'as before')
    t.equal(sockets.length, connections, 'the same name needs no new connection')
    await page.getByRole('button', { name: 'Your name: Zoe' }).click()
    await page.getByLabel('Your name', { exact: true }).fill('Zoë')
    await page.keyboard.press('Enter')
    await say(page, 'renamed')
    await shows(reader.page, '.row', 'renamed')
    t.strictSame(await items(reader.page), ['Zoe: hello', 'Zoe: as before', 'Zoë: renamed'])
    t.strictSame(await items(page), ['Zoe (you): hello', 'Zoe (you): as before', 'Zoë (you): renamed'], 'the member is the same')
    await shows(reader.page, '#people li', 'Zoë')
    t.equal(await reader.page.locator('#people li').count(), 2)
    t.equal(new URL(page.url()).search, '?room=den', 'the address has no name')
  })

  t.test('an invalid name is explained, and the message is kept', async (t) => {
    const { open } = await start(t)
    const { page } = await open()
    await connected(page)
    await page.getByLabel('Your name', { exact: true }).fill('a\u200db')
    await post(page, 'hello')
    t.equal(await page.locator('.name-input').evaluate((input: HTMLInputElement) => input.validationMessage),
      'The name must not contain U+200D where it joins or selects nothing')
    t.equal(await value(page), 'hello')
    t.strictSame(await texts(page), [])
  })

  t.test('Shift+Enter and a paste make lines, and spaces alone are not sent', async (t) => {
    const { open } = await start(t)
    const { page, sent } = await open('ada')
    await connected(page)
    await page.locator('.field').fill('   ')
    await page.keyboard.press('Enter')
    t.equal(await page.getByRole('button', { name: 'Send', exact: true }).isDisabled(), true)
    await page.locator('.field').fill('one')
    const height = () => page.locator('.field').evaluate((field) => field.clientHeight)
    const before = await height()
    await page.keyboard.press('Shift+Enter')
    await page.keyboard.insertText('two\nthree')
    t.ok(await height() > before, 'the field grows')
    await page.keyboard.press('Enter')
    await shows(page, '.row.stored', 'three')
    t.strictSame(await texts(page), ['one\ntwo\nthree'])
    t.equal(sent.filter((frame) => frame.includes('"post"')).length, 1)
    t.equal(await height(), before)
  })

  t.test('Enter within a composition of an input method sends nothing', async (t) => {
    const { open } = await start(t)
    const { page } = await open('ada')
    await connected(page)
    await page.locator('.field').fill('にほん')
    await page.locator('.field').evaluate((field) => {
      field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true }))
    })
    t.equal(await value(page), 'にほん')
    t.strictSame(await texts(page), [])
  })

  t.test('the bytes that are left are shown near the limit, and a longer text is not sent', async (t) => {
    const { open } = await start(t, { limits: { chatPayload: 2_000 } })
    const { page } = await open('ada')
    await connected(page)
    await page.locator('.field').fill('x'.repeat(1_000))
    t.equal(await text(page.locator('.size')), '')
    await page.locator('.field').fill('é'.repeat(650))
    t.match(await text(page.locator('.size')), /^\d+ bytes left$/)
    await page.locator('.field').fill('é'.repeat(900))
    t.match(await text(page.locator('.size')), /^\d+ bytes too long$/)
    await page.keyboard.press('Enter')
    t.equal(await value(page), 'é'.repeat(900))
    const fitting = await page.locator('.size').evaluate((element) => parseInt(element.textContent!))
    const longest = 'é'.repeat(900 - Math.ceil(fitting / 2))
    await page.locator('.field').fill(longest)
    await page.keyboard.press('Enter')
    await shows(page, '.row.stored', longest)
  })

  t.test('a draft is kept for each room, over a change of room and a reload', async (t) => {
    const { open } = await start(t)
    const { page } = await open('ada')
    await connected(page)
    await page.locator('.field').fill('for the den')
    await page.getByLabel('Room to open').fill('tea')
    await page.keyboard.press('Enter')
    await shows(page, '.title', 'tea')
    t.equal(await value(page), '')
    await page.locator('.field').fill('for tea')
    await page.reload()
    await shows(page, '.title', 'tea')
    await page.locator('.composer[data-ready]').waitFor()
    t.equal(await value(page), 'for tea')
    await page.locator('#rooms').getByRole('button', { name: 'den', exact: true }).click()
    await shows(page, '.title', 'den')
    await page.locator('.composer[data-ready]').waitFor()
    t.equal(await value(page), 'for the den')
  })

  t.test('text that is typed and sent before the modules are loaded is sent when they are', async (t) => {
    const { open } = await start(t)
    const { page } = await open('ada', 'style.css')
    let release = () => {}
    const held = new Promise<void>((resolve) => { release = resolve })
    await page.route('**/main.js', async (route) => {
      await held
      await route.continue()
    })
    await page.goto(page.url().replace('style.css', '?room=den'), { waitUntil: 'commit' })
    await page.locator('.field').pressSequentially('early')
    await page.keyboard.press('Enter')
    await page.keyboard.type('later')
    release()
    await connected(page)
    await shows(page, '.row.stored', 'early')
    t.equal((await texts(page)).join() + await value(page), 'earlylater')
  })

  t.test('refused posts are one line above the field, and can be sent again, changed or discarded', async (t) => {
    let refusals = 3
    const { open } = await start(t, {
      prePost (draft) {
        if (refusals-- > 0) throw new Error('not before noon')
        return draft
      }
    })
    const { page } = await open('ada')
    await connected(page)
    for (const words of ['lunch?', 'or coffee?', 'or tea?']) await post(page, words)
    await shows(page, '.failed summary', '3 messages were not sent: not before noon')
    t.strictSame(await texts(page), [])
    t.ok(await page.locator('.failed').evaluate((element) => element.clientHeight) < 48, 'one line')
    await page.reload()
    await shows(page, '.failed summary', '3 messages were not sent: not before noon')
    await connected(page)
    await page.locator('.failed summary').click()
    await page.locator('.failed li', { hasText: 'or coffee?' }).getByRole('button', { name: 'Discard' }).click()
    await page.locator('.failed li', { hasText: 'or tea?' }).getByRole('button', { name: 'Edit' }).click()
    t.equal(await value(page), 'or tea?')
    await page.locator('.failed li', { hasText: 'lunch?' }).getByRole('button', { name: 'Send again' }).click()
    await shows(page, '.row.stored', 'lunch?')
    await page.locator('.failed').waitFor({ state: 'hidden' })
    t.equal(await page.evaluate(() => document.activeElement?.className), 'field', 'the focus is kept')
  })

  t.test('a muted member still receives messages, and keeps its unsent texts', async (t) => {
    let id = ''
    const { app, open } = await start(t, { onJoin (member) { if (member.name === 'ada') id = member.id } })
    const { page } = await open('ada')
    await connected(page)
    await app.chat.mute(id, { duration: 60_000, reason: 'Too loud' })
    for (let i = 1; i <= 5; i++) await post(page, `muted ${i}`)
    await shows(page, '.failed summary', '5 messages were not sent: you are muted (Too loud)')
    for (let i = 1; i <= 6; i++) await app.chat.publish('den', { text: `others ${i}` })
    await shows(page, '.row:last-child', 'others 6')
    t.equal(await page.locator('.row').last().evaluate((row) => row.getBoundingClientRect().bottom <= document.querySelector('.scroller')!.getBoundingClientRect().bottom + 1), true)
    await app.chat.unmute(id)
    await page.locator('.failed summary').click()
    await page.getByRole('button', { name: 'Send all again' }).click()
    await shows(page, '.row.stored', 'muted 5')
    t.strictSame((await texts(page)).slice(-5), [1, 2, 3, 4, 5].map((i) => `muted ${i}`))
  })

  t.test('a dropped or pasted file is refused with a message', async (t) => {
    const { open } = await start(t)
    const { page } = await open('ada')
    await connected(page)
    for (const type of ['drop', 'paste']) {
      const isRefused = await page.locator('.field').evaluate((field, type) => {
        const data = new DataTransfer()
        data.items.add(new File(['x'], 'x.png', { type: 'image/png' }))
        const init = { bubbles: true, cancelable: true }
        return !field.dispatchEvent(type === 'drop' ? new DragEvent(type, { ...init, dataTransfer: data }) : new ClipboardEvent(type, { ...init, clipboardData: data }))
      }, type)
      t.equal(isRefused, true, type)
      await shows(page, '.notice-text', 'The chat accepts only text')
      await page.getByRole('button', { name: 'Close' }).click()
    }
  })

  t.test('typing is reported at most every 2 s, and shown in words', async (t) => {
    const { open } = await start(t)
    const ada = await open('ada')
    const bob = await open('bob')
    const cid = await open('cid')
    await connected(cid.page)
    await ada.page.locator('.field').pressSequentially('hel')
    await shows(cid.page, '.typing', 'ada is typing…')
    await bob.page.locator('.field').pressSequentially('ah')
    await shows(cid.page, '.typing', 'ada and bob are typing…')
    await shows(ada.page, '.typing', /^bob is typing…$/)
    t.equal(ada.sent.filter((frame) => frame.includes('"typing"')).length, 1)
    await ada.page.keyboard.press('Enter')
    await shows(cid.page, '.typing', /^bob is typing…$/)
    await bob.page.locator('.field').fill('')
    await shows(cid.page, '.typing', /^$/)
  })

  t.end()
})
