import { readFile } from 'node:fs/promises'
import type { Locator } from 'playwright-core'
import t from 'tap'
import { build, listen } from '../support/app.ts'
import { launch, skip } from '../support/chromium.ts'
import { buttonOf, openProof, shows } from './proof-window.ts'

// Playwright's waits have a timeout and a message of their own, so this one must not expire first.
t.setTimeout(600_000)

const file = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

/** Waits until the drawer is loaded, visible or not. */
const started = (drawer: Locator) => drawer.locator('[role=tablist]').waitFor({ state: 'attached' })

t.test('the drawer', { skip }, async (t) => {
  const browser = await launch()
  t.teardown(() => browser.close())

  t.test('the drawer is open on the first visit to a large window, and keeps its state', async (t) => {
    const url = `http://127.0.0.1:${await listen(await build(t))}/demo/`
    const visit = async (width: number, height: number) => {
      const page = await browser.newPage({ viewport: { width, height } })
      t.teardown(() => page.close())
      await page.goto(url)
      const drawer = page.locator('#drawer')
      await started(drawer)
      return { page, drawer }
    }
    const { page, drawer } = await visit(1280, 800)
    await shows(drawer, '.state', 'connected')
    await buttonOf(drawer, 'Close the drawer').click()
    t.equal(await drawer.isVisible(), false)
    await page.reload()
    await started(drawer)
    t.equal(await drawer.isVisible(), false)
    await page.getByRole('button', { name: 'Inspect' }).click()
    await shows(drawer, '.state', 'connected')

    const phone = await visit(390, 664)
    t.equal(await phone.drawer.isVisible(), false)
  })

  t.test('the tabs work with the keyboard, and a tab is loaded only when it is opened', async (t) => {
    const { page, drawer, sockets } = await openProof(t, browser)
    await shows(drawer, '.state', 'connected')
    await drawer.getByRole('tab', { name: 'Connection' }).focus()
    const focused = () => page.evaluate(() => document.activeElement?.textContent)
    for (const [key, label] of [['ArrowRight', 'Wire'], ['ArrowRight', 'Echo'], ['End', 'Source'], ['ArrowRight', 'Connection'], ['ArrowLeft', 'Source'], ['Home', 'Connection']] as const) {
      await page.keyboard.press(key)
      t.equal(await focused(), label)
    }
    t.equal(sockets.length, 1, 'the echo does not connect in passing')
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Enter')
    await shows(drawer, '.frames .type', 'joined')
    t.equal(await drawer.getByRole('tab', { name: 'Wire' }).getAttribute('aria-selected'), 'true')
  })

  t.test('the source tab shows the modules that the page runs', async (t) => {
    const { page, drawer, complaints } = await openProof(t, browser)
    await started(drawer)
    await page.getByRole('button', { name: 'Source of the chat' }).click()
    const chat = await file('public/chat.js')
    await shows(drawer, '.source-code .source-line', 'new ChatClient')
    t.equal((await drawer.locator('.source-code').textContent())?.trimEnd(), chat.trimEnd())
    t.match(await drawer.locator('.source-code a').getAttribute('href'), /src\/client$/, 'the client is bundled')
    await drawer.getByLabel('Module').selectOption('proof/drawer.js')
    await shows(drawer, '.source-code .source-line', 'export function startDrawer')
    await drawer.locator('.source-code .import').first().click()
    t.match(await drawer.getByLabel('Module').inputValue(), /^proof\//)
    await drawer.getByLabel('Module').selectOption('proof/drawer.js')
    await drawer.getByRole('tab', { name: 'Wire' }).click()
    await buttonOf(drawer, 'Source of this tab').click()
    await shows(drawer, '.source-code .source-line', 'export function wireTab')
    t.strictSame(complaints, [])
  })

  t.test('the server of the source tab is that of the README', async (t) => {
    const source = await file('public/proof/source.js')
    const [, server = ''] = /const server = `.*\n([^`]*)`/.exec(source) ?? []
    t.not(server, '')
    t.match(await file('README.md'), server)
  })

  t.test('without the echo there is no tab for it', async (t) => {
    const { drawer } = await openProof(t, browser, { echo: false })
    await shows(drawer, '.state', 'connected')
    t.strictSame(await drawer.getByRole('tab').allTextContents(), ['Connection', 'Wire', 'Source'])
  })

  t.end()
})
