import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { memory, type FastifyChatOptions } from '../../src/index.ts'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'
import { build, listen, type App } from '../support/app.ts'
import { backendOf } from '../support/backend.ts'
import { launch, skip } from '../support/chromium.ts'
import { connected, items, openPage, openRoom, say, shows, text, texts, type PageWindowOptions } from './page-window.ts'
import { open as openSocket } from '../support/websocket-client.ts'

// Playwright's waits have a timeout and a message of their own, so this one must not expire first.
t.setTimeout(600_000)

const people = (page: Page) => page.locator('#people li').evaluateAll((all) => all.map((item) =>
  [...item.children].filter((child) => child.className !== 'face').map(({ textContent }) => textContent).join('') || item.textContent))

/** Simulates that the window loses the focus, or regains it. */
const setFocus = (page: Page, focused: boolean) => page.evaluate((focused) => {
  document.hasFocus = () => focused
  window.dispatchEvent(new Event(focused ? 'focus' : 'blur'))
}, focused)

/** Waits until the page has a title. */
async function titled (page: Page, title: string): Promise<void> {
  await page.evaluate(async (title) => {
    for (let tries = 0; document.title !== title; tries++) {
      if (tries === 1_000) throw new Error(`the title is ${document.title}, not ${title}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }, title)
}

t.test('rooms and people', { skip }, async (t) => {
  const browser = await launch()
  t.teardown(() => browser.close())

  async function start (t: Test, options: FastifyChatOptions = {}): Promise<{ app: App, url: string, open: (name?: string, options?: PageWindowOptions, query?: string) => ReturnType<typeof openPage> }> {
    const app = await build(t, options)
    const url = `http://127.0.0.1:${await listen(app)}/demo/`
    return { app, url, open: (name, options = {}, query = '') => openPage(t, browser, url + query, { ...name !== undefined && { name }, ...options }) }
  }

  t.test('several rooms share one connection, have unread counts, and are open again after a reload', async (t) => {
    const { app, open } = await start(t)
    const { page, sockets, complaints } = await open('ada')
    await connected(page)
    await openRoom(page, 'tea')
    await app.chat.publish('lobby', { text: 'one' })
    await app.chat.publish('lobby', { text: 'two' })
    await shows(page, '#rooms li', 'lobby2')
    await titled(page, '(2) tea · fastify-chat')
    await page.reload()
    await shows(page, '#rooms li', 'lobby2')
    await app.chat.publish('lobby', { text: 'three' })
    await shows(page, '#rooms li', 'lobby3')
    await page.locator('#rooms').getByRole('button', { name: 'lobby' }).first().click()
    await shows(page, '.title', 'lobby')
    await titled(page, 'lobby · fastify-chat')
    await page.locator('.day + .unread + .row').waitFor()
    t.strictSame(await texts(page), ['one', 'two', 'three'])
    t.equal(sockets.length, 2, 'one before and one after the reload')
    await page.getByRole('button', { name: 'Leave lobby' }).click()
    await shows(page, '.title', 'tea')
    await page.reload()
    await connected(page)
    t.strictSame(await page.locator('.room-name').allTextContents(), ['tea'])
    t.strictSame(complaints, [])
  })

  t.test('an address with #tea opens the room, and one with an empty room opens the default room', async (t) => {
    const { open } = await start(t)
    const { page } = await open('ada', {}, '#tea')
    await shows(page, '.title', 'tea')
    await page.evaluate(() => { location.hash = 'green.tea' })
    await shows(page, '.title', 'green.tea')
    await page.goBack()
    await shows(page, '.title', 'tea')
    const { page: other } = await open('bob', {}, '?room=')
    await shows(other, '.title', 'lobby')
  })

  t.test('messages that arrive while the user is away are unread, until the user is back', async (t) => {
    const { app, open } = await start(t)
    const { page } = await open('ada')
    await say(page, 'mine')
    await app.chat.publish('lobby', { text: 'read' })
    await shows(page, '.row', 'read')
    await setFocus(page, false)
    await app.chat.publish('lobby', { text: 'unread 1' })
    await app.chat.publish('lobby', { text: 'unread 2' })
    await titled(page, '(2) lobby · fastify-chat')
    const lines = () => page.locator('.rows > li:not(.day)').evaluateAll((all) => all.map((line) => (line.querySelector('.text') ?? line).textContent))
    await shows(page, '.row', 'unread 2')
    t.strictSame(await lines(), ['mine', 'read', 'New since you left', 'unread 1', 'unread 2'])
    await setFocus(page, true)
    await titled(page, 'lobby · fastify-chat')
    t.strictSame(await lines(), ['mine', 'read', 'New since you left', 'unread 1', 'unread 2'], 'the line stays while the user reads')
    await say(page, 'an answer')
    await page.locator('.divider.unread').waitFor({ state: 'detached' })

    await setFocus(page, false)
    await app.chat.publish('lobby', { text: 'unread 3' })
    await titled(page, '(1) lobby · fastify-chat')
    // The page draws when it has joined the room, before it has the messages.
    await page.addInitScript(() => { Object.assign(window, { requestAnimationFrame: queueMicrotask }) })
    await page.reload()
    await page.locator('.divider.unread + .row', { hasText: 'unread 3' }).waitFor()
  })

  t.test('a button shows the first message since the user left, also if it is not loaded', async (t) => {
    const { app, open } = await start(t, { backend: memory({ historyEntries: 200 }) })
    const { page } = await open('ada')
    const button = page.locator('.to-unread')
    const publish = async (room: string, count: number) => {
      for (let i = 1; i <= count; i++) await app.chat.publish(room, { text: `message ${i}.` })
    }
    await say(page, 'mine')
    await setFocus(page, false)
    await publish('lobby', 40)
    await titled(page, '(40) lobby · fastify-chat')
    await setFocus(page, true)
    await button.click()
    await page.locator('.divider.unread + .row:focus', { hasText: 'message 1.' }).waitFor()
    await button.waitFor({ state: 'hidden' })

    await openRoom(page, 'tea')
    await say(page, 'mine too')
    await openRoom(page, 'lobby')
    await publish('tea', 150)
    await page.reload()
    await connected(page)
    await openRoom(page, 'tea')
    await shows(page, '.row', 'message 150.')
    t.equal(await page.locator('.row', { hasText: 'message 1.' }).count(), 0)
    await button.waitFor()
    await button.press('Enter')
    await page.locator('.divider.unread + .row:focus', { hasText: 'message 1.' }).waitFor()
    await page.locator('.row', { hasText: 'mine too' }).waitFor()
    await page.locator('.newest').click()
    await page.locator('.newest').waitFor({ state: 'hidden' })
    t.equal(await button.isVisible(), false, 'the place was seen')

    await openRoom(page, 'lobby')
    await publish('tea', 250)
    await page.locator('#rooms').getByRole('button', { name: 'tea' }).first().click()
    await shows(page, '.row', 'message 250.')
    await button.click()
    await shows(page, '.notice-text', 'The server no longer has the first new message.')
    await button.waitFor({ state: 'hidden' })
  })

  t.test('the address has the room and not the name, and Back returns to the room before', async (t) => {
    const { open } = await start(t)
    const { page } = await open('ada', { permissions: ['clipboard-read', 'clipboard-write'] }, '?room=')
    await connected(page)
    await shows(page, '.title', 'lobby')
    await openRoom(page, 'tea')
    t.equal(new URL(page.url()).search, '?room=tea')
    await page.getByRole('button', { name: 'Copy link' }).click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    t.equal(await page.evaluate(() => navigator.clipboard.readText()), page.url())
    await page.goBack()
    await shows(page, '.title', 'lobby')
    await page.goForward()
    await shows(page, '.title', 'tea')
  })

  t.test('more than 20 rooms are refused with a message, and all rooms and drafts are kept', async (t) => {
    const { open, url } = await start(t, { limits: { messageRate: Infinity } })
    const { page } = await open('ada')
    await connected(page)
    for (let i = 1; i < 20; i++) await openRoom(page, `room-${i}`)
    await page.locator('.field').fill('a draft')
    const input = page.getByLabel('Room to open')
    await input.fill('too-many')
    await input.press('Enter')
    t.equal(await input.evaluate((input: HTMLInputElement) => input.validationMessage), '20 rooms are open. Leave one first.')
    t.equal(await input.inputValue(), 'too-many', 'the typed name is kept')
    const rooms = await page.locator('.room-name').allTextContents()
    t.equal(rooms.length, 20)
    t.equal(await page.locator('.field').inputValue(), 'a draft')

    await page.goto(`${url}?room=too-many`)
    await shows(page, '.notice-text', '20 rooms are open. Leave one first.')
    await connected(page)
    t.strictSame(await page.locator('.room-name').allTextContents(), rooms)
    t.equal(new URL(page.url()).search, '?room=lobby')
    await page.locator('#rooms').getByRole('button', { name: 'room-19', exact: true }).click()
    t.equal(await page.locator('.field').inputValue(), 'a draft')

    await page.getByRole('button', { name: 'Leave room-19', exact: true }).click()
    await openRoom(page, 'too-many')
    await page.goBack()
    await shows(page, '.title', 'lobby')
    await page.goForward()
    await shows(page, '.title', 'too-many')
    await page.goBack()
    await page.goBack()
    await shows(page, '.notice-text', '20 rooms are open. Leave one first.')
    t.equal(await text(page.locator('.title')), 'lobby')
  })

  t.test('an invalid room name is rejected by the field, and ignored in the address', async (t) => {
    const { open } = await start(t)
    const { page } = await open('ada', {}, '?room=no%20room')
    await connected(page)
    await shows(page, '.title', 'lobby')
    await page.getByLabel('Room to open').fill('no room')
    t.equal(await page.getByLabel('Room to open').evaluate((input: HTMLInputElement) => input.checkValidity()), false)
  })

  t.test('the list of people has the user first, and shows who comes and goes', async (t) => {
    const { open } = await start(t, { backend: backendOf({ roster: new MemoryRoster({ grace: 1, coalesce: 1 }) }) })
    const ada = await open('ada')
    await shows(ada.page, '#people-title', '1 here')
    const bob = await open('Bob')
    await shows(ada.page, '#people-title', '2 here')
    await shows(bob.page, '#people-title', '2 here')
    t.strictSame(await people(ada.page), ['ada (you)', 'Bob'])
    t.strictSame(await people(bob.page), ['Bob (you)', 'ada'])
    await bob.page.close()
    await shows(ada.page, '#people-title', '1 here')
    t.strictSame(await people(ada.page), ['ada (you)'])
  })

  t.test('a line above the field shows who came and left, and nothing becomes unread', async (t) => {
    const { app, open, url } = await start(t, { backend: backendOf({ roster: new MemoryRoster({ grace: 1, coalesce: 1 }) }) })
    const come = (name: string) => openSocket(t, `${url.replace('http', 'ws').replace('demo/', 'chat')}?name=${name}`)
    const { page } = await open('ada')
    await say(page, 'mine')
    await page.clock.install()
    const line = (words: string | RegExp) => shows(page, '.presence', words)
    const top = () => page.locator('.row').evaluate((row) => row.getBoundingClientRect().top)
    const before = await top()
    await setFocus(page, false)

    const one = await come('one')
    await line(/^one came\.$/)
    const two = await come('two')
    await line(/^one and two came\.$/)
    await come('three')
    await come('four')
    await line(/^one, two and 2 others came\.$/)
    one.socket.close()
    await line(/^two, three and four came\.$/)
    t.equal(await top(), before, 'no message moves')
    t.equal(await page.title(), 'lobby · fastify-chat')
    t.equal(await text(page.locator('.announcer')), '')
    t.equal((await app.chat.history('lobby')).entries.length, 1)

    await page.clock.fastForward(10_000)
    await line(/^$/)
    two.socket.close()
    await line(/^two left\.$/)
    const bob = await open()
    await line(/^Guest #.* came\. two left\.$/)
    await bob.page.getByLabel('Your name', { exact: true }).fill('bob')
    await bob.page.keyboard.press('Enter')
    await line(/^bob came\. two left\.$/)
    await bob.page.locator('.field').pressSequentially('hel')
    await shows(page, '.typing', 'bob is typing…')
    t.equal(await page.locator('.presence').isVisible(), false, 'typing takes its place')
    await openRoom(page, 'tea')
    await line(/^$/)
  })

  t.test('a long list of people can be filtered, and shows the number of others', async (t) => {
    const { open, url } = await start(t, { backend: backendOf({ roster: new MemoryRoster({ listed: 22, grace: 1, coalesce: 1 }) }) })
    const come = (i: number) => openSocket(t, `${url.replace('http', 'ws').replace('demo/', 'chat')}?name=guest${i}`)
    const first = await come(1)
    for (let i = 2; i <= 25; i++) await come(i)
    const { page } = await open('zoe')
    await shows(page, '#people-title', '26 here')
    first.socket.close()
    await shows(page, '#people-title', '25 here')
    t.equal(await text(page.locator('.presence')), '', 'the member that takes the free place in the list has not come')
    await shows(page, '#people .more', 'and 2 more')
    await page.getByLabel('Filter people').fill('ST7')
    t.strictSame((await people(page)).slice(0, 1), ['guest7'])
  })

  t.test('members with one name, or with names that look the same, have marks, in both lists', async (t) => {
    const { open } = await start(t)
    const one = await open('Sam')
    const reader = await open('bob')
    await connected(reader.page)
    await say(one.page, 'I am Sam')
    await shows(reader.page, '.row', 'I am Sam')
    t.strictSame(await items(reader.page), ['Sam: I am Sam'])
    const two = await open('sam')
    await say(two.page, 'so am I')
    await shows(reader.page, '.row', 'so am I')
    await shows(reader.page, '#people-title', '3 here')
    const [first = '', second = ''] = await items(reader.page)
    t.match(first, /^Sam#[0-9a-z]{4}: I am Sam$/)
    t.match(second, /^sam#[0-9a-z]{4}: so am I$/)
    t.not(first.slice(3, 8), second.slice(3, 8))
    t.strictSame((await people(reader.page)).sort(), ['bob (you)', first.slice(0, 8), second.slice(0, 8)].sort())
    await one.page.locator('#people li .mark').nth(1).waitFor()
    t.strictSame((await people(one.page)).sort(), [`${first.slice(0, 8)} (you)`, 'bob', second.slice(0, 8)].sort(), 'its own list has both marks')
    t.equal(await two.page.locator('.row.own').count(), 1, 'the other member is not shown as the user')

    const heart = await open('Ada ❤\ufe0f')
    await connected(heart.page)
    await open('Ada ❤')
    await shows(heart.page, '#people-title', '5 here')
    await heart.page.locator('#people li', { hasText: 'Ada' }).locator('.mark').nth(1).waitFor()
  })

  t.test("the page opens the chat's default room", async (t) => {
    const { open } = await start(t, { chat: { defaultRoom: 'hall' } })
    const { page } = await open('ada')
    await connected(page)
    t.equal(await page.locator('.title').textContent(), 'hall')
  })

  for (const options of [
    { page: '/' },
    { prefix: '/talk', page: '/' },
    { prefix: '/talk', page: '/try/it' },
    { chat: { path: '/rooms/' }, echo: { path: '/demo/echo' } }
  ] as const) {
    t.test(`the page finds its files and the chat under ${JSON.stringify(options)}`, async (t) => {
      const { url } = await start(t, options)
      const { prefix = '', page: path = '/demo/' } = options as { prefix?: string, page?: string }
      // Without the final slash, as users type it.
      const { page, complaints } = await openPage(t, browser, url.replace('/demo/', '') + (prefix + path).replace(/\/$/, ''), { name: 'ada' })
      await connected(page)
      await shows(page, '.title', 'lobby')
      t.strictSame(complaints, [])
    })
  }

  t.test('without the chat only the drawer is shown, and without chat and echo an error', async (t) => {
    const echo = await openPage(t, browser, (await start(t, { chat: false })).url, { drawer: true })
    await echo.page.getByRole('tab', { name: 'Echo' }).waitFor()
    t.equal(await echo.page.locator('.pane').isVisible(), false)
    t.strictSame(echo.complaints, [])
    const none = await openPage(t, browser, (await start(t, { chat: false, echo: false })).url)
    await shows(none.page, '#page-error', 'Chat and echo are both disabled')
    t.equal(await none.page.locator('.pane').isVisible(), false)
  })

  t.end()
})
