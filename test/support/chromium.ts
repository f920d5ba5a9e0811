import { chromium, type Browser, type BrowserContext } from 'playwright-core'
import type { Test } from 'tap'
import { run } from './command.ts'
import { directory } from './directory.ts'
import { installed } from './executable.ts'

const args = [
  '--headless', '--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'
]

// ms: the first start on a busy machine reads about 200 MB from disk.
const startTimeout = 120_000
const browser = installed('chromium')

export const { skip } = browser

/** Starts a Chromium. The caller must close it. Rejects if none is installed. */
export async function launch (): Promise<Browser> {
  return await chromium.launch({ executablePath: browser.path(), args, timeout: startTimeout })
}

/**
 * Starts a Chromium without the defaults of Playwright, so that its tabs can be hidden, frozen and kept in the back/forward cache.
 * Resolves with its context. Stopped with the test. Rejects if none is installed.
 */
export async function launchPlain (t: Test): Promise<BrowserContext> {
  const profile = directory(t)
  const { child, seen, ended } = run(t, [...args, '--remote-debugging-port=0', `--user-data-dir=${profile}`], { file: browser.path() })
  const [, endpoint = ''] = await seen(/DevTools listening on (ws:\S+)/)
  const connected = await chromium.connectOverCDP(endpoint, { noDefaults: true, timeout: startTimeout })
  t.teardown(async () => {
    await connected.close()
    child.kill('SIGKILL')
    await ended
  })
  return connected.contexts()[0]!
}
