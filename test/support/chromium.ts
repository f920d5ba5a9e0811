import { chromium, type Browser } from 'playwright-core'
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
