import { chromium, type Browser } from 'playwright-core'
import { executable } from './executable.ts'

const args = [
  '--headless', '--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'
]

// ms: the first start on a busy machine reads about 200 MB from disk.
const startTimeout = 120_000
const executablePath = executable('chromium')
const missing = 'chromium is not installed (apt-get install chromium)'

/** The reason why browser tests are skipped; false if they run. In CI they must run. */
export const skip = executablePath === undefined && process.env['CI'] !== 'true' && missing

/** Starts a Chromium. The caller must close it. Rejects if none is installed. */
export async function launch (): Promise<Browser> {
  if (executablePath === undefined) throw new Error(missing)
  return await chromium.launch({ executablePath, args, timeout: startTimeout })
}
