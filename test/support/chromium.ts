import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { run } from './command.ts'
import { directory } from './directory.ts'
import { executable, installed } from './executable.ts'

const args = [
  '--headless', '--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'
]

/** Returns the switch that disables features. Of several such switches Chromium reads only the last. */
const disable = (features: readonly string[]) => `--disable-features=${features.join()}`

// The first two open two pages of Chromium's address bar beside each page, the third starts a process for a page that may follow.
const unused = ['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup', 'SpareRendererForSitePerProcess']

// What Playwright 1.65 disables, except for Edge and Windows.
const playwrightDisables = [
  'AvoidUnnecessaryBeforeUnloadCheckSync', 'DestroyProfileOnBrowserClose', 'HttpsUpgrades', 'HttpsFirstBalancedModeAutoEnable', 'LensOverlay',
  'MediaRouter', 'PaintHolding', 'ThirdPartyStoragePartitioning', 'AvoidCorsURLLoaderRestartOnRedirect', 'OptimizationHints',
  'NetworkTimeServiceQuerying', 'AimEnabled', 'PreconnectToSearch'
]

// ms: the first start on a busy machine reads about 200 MB from disk.
const startTimeout = 120_000
// ms: reached only on a failure, so it is long enough for a slow machine.
const waitTimeout = 90_000
const browser = installed('chromium')
// Chromium without its window and its notifications, in which a page takes a quarter less CPU time. Used if it is installed.
const shell = executable('chromium-headless-shell')

export const { skip } = browser

/** Texts of the console for connections and requests that fail. */
export const networkErrors = /^(WebSocket connection|Failed to load resource)/

/** Starts a Chromium. The caller must close it. Rejects if none is installed. @param needs notifications, which the shell doesn't have */
export async function launch (needs?: 'notifications'): Promise<Browser> {
  const executablePath = needs === undefined && shell !== undefined ? shell : browser.path()
  return await chromium.launch({ executablePath, args: [...args, disable([...playwrightDisables, ...unused])], timeout: startTimeout })
}

/** Opens a page in a Chromium of its own, stopped with the test. Rejects if none is installed. */
export async function openTab (t: Test): Promise<Page> {
  const launched = await launch()
  t.teardown(() => launched.close())
  const page = await launched.newPage()
  page.setDefaultTimeout(waitTimeout)
  return page
}

/** Collects the errors of a page, and the errors and warnings of its console. @param expected texts of the console that are left out */
export function complaintsOf (page: Page, expected?: RegExp): string[] {
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && expected?.test(message.text()) !== true) complaints.push(message.text())
  })
  return complaints
}

/**
 * Starts a Chromium without the defaults of Playwright, so that its tabs can be hidden, frozen and kept in the back/forward cache.
 * Resolves with its context. Stopped with the test. Rejects if none is installed.
 */
export async function launchPlain (t: Test): Promise<BrowserContext> {
  const profile = directory(t)
  const { child, seen, ended } = run(t, [...args, disable(unused), '--remote-debugging-port=0', `--user-data-dir=${profile}`], { file: browser.path() })
  const [, endpoint = ''] = await seen(/DevTools listening on (ws:\S+)/)
  const connected = await chromium.connectOverCDP(endpoint, { noDefaults: true, timeout: startTimeout })
  t.teardown(async () => {
    await connected.close()
    child.kill('SIGKILL')
    await ended
  })
  return connected.contexts()[0]!
}
