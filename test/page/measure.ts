// Measures the page in Chromium: `npm run build && node --import tsx test/page/measure.ts`.
import Fastify from 'fastify'
import type { AddressInfo } from 'node:net'
import type { Browser, CDPSession, Page } from 'playwright-core'
import fastifyChat, { memory } from '../../src/index.ts'
import { launch } from '../support/chromium.ts'

const app = Fastify()
await app.register(fastifyChat, { backend: memory({ historyEntries: 20_000 }) })
await app.listen({ port: 0, host: '127.0.0.1' })
const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/demo/`
const browser = await launch()

async function open (browser: Browser, room: string, prepare: (cdp: CDPSession) => Promise<unknown> = async () => {}): Promise<{ page: Page, cdp: CDPSession }> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  const cdp = await page.context().newCDPSession(page)
  await prepare(cdp)
  await page.goto(`${url}?room=${room}`, { waitUntil: 'commit' })
  return { page, cdp }
}

const joined = (page: Page) => page.locator('.status-word', { hasText: /^Connected/ }).waitFor({ timeout: 60_000 })

/** Resolves with the ms until a frame shows the text in the newest row. */
const untilShown = (page: Page, text: string) => page.evaluate(async (text) => {
  const start = performance.now()
  while (document.querySelector('.rows > .row:last-child .text')?.textContent !== text) await new Promise(requestAnimationFrame)
  await new Promise(requestAnimationFrame)
  return Math.round(performance.now() - start)
}, text)

const publish = (room: string, text: string) => app.chat.publish(room, { text, from: { id: 'bot', name: 'bot' } })

async function slowNetwork (): Promise<void> {
  const network = { offline: false, latency: 400, downloadThroughput: -1, uploadThroughput: -1 }
  let started = 0
  const { page } = await open(browser, 'slow', async (cdp) => {
    await cdp.send('Network.enable')
    await cdp.send('Network.emulateNetworkConditions', network)
    started = Date.now()
  })
  await page.locator('.field').focus()
  await page.keyboard.type('early')
  console.log(`400 ms latency: the field takes text after ${Date.now() - started} ms`)
  await joined(page)
  const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0)
  console.log(`400 ms latency: the field was drawn after ${Math.round(paint)} ms`)
  console.log(`400 ms latency: connected after ${Date.now() - started} ms, the field has "${await page.locator('.field').inputValue()}"`)
  await page.close()
}

/** Resolves with the layouts and the s of work of the main thread so far. */
async function work (cdp: CDPSession): Promise<{ layouts: number, seconds: number }> {
  await cdp.send('Performance.enable')
  const { metrics } = await cdp.send('Performance.getMetrics')
  const of = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? 0
  return { layouts: of('LayoutCount'), seconds: of('TaskDuration') }
}

async function burst (): Promise<void> {
  const { page, cdp } = await open(browser, 'burst')
  await joined(page)
  for (let i = 1; i <= 1_000; i++) await publish('burst', `before ${i}`)
  await untilShown(page, 'before 1000')
  const before = await work(cdp)
  const shown = untilShown(page, 'message 2000')
  await Promise.all(Array.from({ length: 2_000 }, (_, i) => publish('burst', `message ${i + 1}`)))
  console.log(`2,000 messages at once: drawn after ${await shown} ms, ${await page.locator('*').count()} elements`)
  const after = await work(cdp)
  console.log(`  ${after.layouts - before.layouts} layouts, ${(after.seconds - before.seconds).toFixed(2)} s of work`)
  await page.close()
}

async function busy (rate: number, seconds: number, slowdown: number): Promise<void> {
  const { page, cdp } = await open(browser, 'busy')
  await joined(page)
  await cdp.send('Emulation.setCPUThrottlingRate', { rate: slowdown })
  const start = Date.now()
  for (let i = 1; i <= rate * seconds; i++) {
    const wait = start + i * 1_000 / rate - Date.now()
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    await publish('busy', `busy ${i}`)
  }
  const late = Date.now()
  await untilShown(page, `busy ${rate * seconds}`)
  console.log(`${rate} messages/s for ${seconds} s, CPU ${slowdown} times slower: ${Date.now() - late} ms behind, ${await page.locator('*').count()} elements`)
  await page.close()
}

async function offline (): Promise<void> {
  const { page } = await open(browser, 'offline')
  await joined(page)
  const start = Date.now()
  await page.context().setOffline(true)
  await page.locator('.status-word', { hasText: 'Offline' }).waitFor()
  console.log(`offline: shown after ${Date.now() - start} ms`)
  await page.close()
}

await slowNetwork()
await burst()
await busy(100, 15, 4)
await offline()
await browser.close()
await app.close()
