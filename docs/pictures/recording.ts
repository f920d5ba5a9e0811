import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { animatedWebp, type Frame } from './animated-webp.ts'

/** The part of a screenshot that differs from the one before it; undefined if nothing does. */
interface Part { readonly x: number, readonly y: number, readonly width: number, readonly height: number, readonly webp: string }

/** Records screenshots of a page as an animation. A browser compares and encodes them, because Node can't read images. */
export class Recording {
  readonly #page: Page
  readonly #encoder: Page
  readonly #frames: Frame[] = []

  private constructor (page: Page, encoder: Page) {
    this.#page = page
    this.#encoder = encoder
  }

  static async start (browser: Browser, page: Page): Promise<Recording> {
    const encoder = await browser.newPage()
    await encoder.addScriptTag({ path: fileURLToPath(new URL('changed-part.js', import.meta.url)) })
    // The page counts messages as unread while it isn't looked at.
    await page.bringToFront()
    return new Recording(page, encoder)
  }

  /** Adds what the page shows now, and waits as long as the animation shows it. @param duration in ms */
  async add (duration: number): Promise<void> {
    const time = Date.now() + duration
    const screenshot = (await this.#page.screenshot()).toString('base64')
    const part = await this.#encoder.evaluate(`changedPart('${screenshot}')`) as Part | undefined
    const last = this.#frames.at(-1)
    if (part !== undefined) this.#frames.push({ ...part, webp: Buffer.from(part.webp, 'base64'), duration })
    else if (last !== undefined) this.#frames[this.#frames.length - 1] = { ...last, duration: last.duration + duration }
    await this.#page.waitForTimeout(Math.max(0, time - Date.now()))
  }

  /** Returns the animation as WebP. */
  end (): Buffer {
    const [{ width, height }] = this.#frames as [Frame]
    return animatedWebp(width, height, this.#frames)
  }
}
