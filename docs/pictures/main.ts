// Makes the pictures of the README with Chromium: `npm run docs:pictures`, after `npm run build`.
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { chromium, type Page } from 'playwright-core'
import fastifyChat from '../../src/index.ts'
import { installed } from '../../test/support/executable.ts'
import { Recording } from './recording.ts'

const file = (name: string) => new URL(`../${name}`, import.meta.url)

const app = Fastify()
await app.register(fastifyChat)
await app.listen({ port: 0, host: '127.0.0.1' })
const browser = await chromium.launch({ executablePath: installed('chromium').path(), args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-lcd-text'] })
try {
  const { port } = app.server.address() as AddressInfo
  const page = await browser.newPage({ viewport: { width: 1366, height: 740 }, locale: 'en-GB', colorScheme: 'light' })
  await page.goto(`http://127.0.0.1:${port}/demo/?room=tea`)
  await record(page, await Recording.start(browser, page))
} finally {
  await browser.close()
  await app.close()
}

/** Runs the demonstration, and writes the animation and the screenshot. */
async function record (page: Page, recording: Recording): Promise<void> {
  const drawer = page.locator('#drawer')
  const ada = drawer.locator('.person').first()
  const field = (pane: number) => page.getByLabel('Message', { exact: true }).nth(pane)

  /** Posts a text in a pane, and waits until both panes, or only this one, show it. */
  async function say (pane: number, text: string, panes = [0, 1]): Promise<void> {
    await field(pane).fill(text)
    await field(pane).press('Enter')
    for (const other of panes) await page.locator('.pane').nth(other).locator('.row', { hasText: text }).waitFor()
  }

  await page.getByRole('textbox', { name: 'Your name' }).fill('Ada')
  await page.keyboard.press('Enter')
  await drawer.getByRole('button', { name: 'Add a second person here' }).click()
  await drawer.locator('.person').nth(1).locator('.state[data-state=open]').waitFor()
  await say(0, 'Shall we meet at the station?')
  await say(1, 'Yes. I am on my way.')
  await page.mouse.move(0, 0)
  await recording.add(1_800)

  await ada.getByRole('button', { name: 'Disconnect' }).click()
  await ada.locator('.state[data-state=disconnected]').waitFor()
  await page.locator('.pane').first().locator('.notice').waitFor()
  await recording.add(1_500)
  for (const text of ['The train is ten minutes late.', 'Platform 4.']) {
    await say(1, text, [1])
    await recording.add(900)
  }
  await say(0, 'I can bring coffee.', [0])
  await recording.add(1_200)
  await say(1, 'See you soon!', [1])
  await recording.add(1_500)
  writeFileSync(file('page.png'), await page.screenshot())

  await ada.getByRole('button', { name: 'Reconnect' }).click()
  const isOver = ada.locator('.sentence', { hasText: 'stored once' })
  while (!await isOver.isVisible()) await recording.add(100)
  // The dots fill one after the other.
  for (let i = 0; i < 6; i++) await recording.add(100)
  await recording.add(5_000)
  writeFileSync(file('resume.webp'), recording.end())
}
