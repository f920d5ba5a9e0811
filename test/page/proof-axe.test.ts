import t from 'tap'
import { violations, violationsInAllColours } from './axe.ts'
import { launch, skip } from '../support/chromium.ts'
import { buttonOf, openProof, post, shows } from './proof-window.ts'

// Playwright's waits have a timeout and a message of their own, so this one must not expire first.
t.setTimeout(600_000)

t.test('axe finds no violation in any state of the drawer', { skip }, async (t) => {
  const browser = await launch()
  t.teardown(() => browser.close())

  for (const [device, options, find] of [
    ['computer', {}, violationsInAllColours], ['phone', { viewport: { width: 390, height: 664 } }, violations]
  ] as const) {
    t.test(device, async (t) => {
      const { page, drawer } = await openProof(t, browser, {}, options)
      const check = async (state: string) => t.strictSame(await find(page), [], state)
      await shows(drawer, '.state', 'connected')
      await check('connected')
      await buttonOf(drawer, 'Disconnect').click()
      await post(page, 'mine')
      await buttonOf(drawer, 'Send bot messages').click()
      await shows(drawer, '.sentence', '5 messages are stored')
      await check('disconnected')
      await buttonOf(drawer, 'Reconnect').click()
      await shows(drawer, '.sentence', 'stored once')
      await check('connected again')
      await buttonOf(drawer, 'Lose the next acknowledgement').click()
      await buttonOf(drawer, 'Add a second person here').click()
      await shows(drawer, '.person:nth-of-type(2) .state', /^connected/)
      await check('a second person')
      await drawer.getByRole('tab', { name: 'Wire' }).click()
      await drawer.locator('.frames summary', { hasText: 'post' }).first().click()
      await buttonOf(drawer, 'Pause').click()
      await check('wire')
      await drawer.getByRole('tab', { name: 'Echo' }).click()
      await shows(drawer, '.state', 'Connected.')
      await drawer.getByLabel('Text').fill('hello')
      await page.keyboard.press('Enter')
      await drawer.getByText('Close the connection').click()
      await check('echo')
      await buttonOf(drawer, 'End without a close frame').click()
      await buttonOf(drawer, 'End without a close frame').click()
      await check('echo, closed')
      await drawer.getByRole('tab', { name: 'Source' }).click()
      await shows(drawer, '.source-line', 'new ChatClient')
      await check('source')
    })
  }
  t.end()
})
