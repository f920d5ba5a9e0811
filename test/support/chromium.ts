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

/** The reason for which browser tests are skipped; false where they run, and in CI, where they must. */
export const skip = executablePath === undefined && process.env['CI'] !== 'true' && missing

/** Starts a Chromium that the caller closes. Rejects when there is none. */
export async function launch (): Promise<Browser> {
  if (executablePath === undefined) throw new Error(missing)
  return await chromium.launch({ executablePath, args, timeout: startTimeout })
}
