import type { Browser, Locator, Page } from 'playwright-core'
import type { Test } from 'tap'
import type { FastifyChatOptions } from '../../src/index.ts'
import { build, listen, type App } from '../support/app.ts'
import { openPage, type PageWindow, type PageWindowOptions } from './page-window.ts'

export interface ProofWindow extends PageWindow {
  readonly app: App
  readonly drawer: Locator
}

/** Opens the page of a new server, in the room `den` and with the drawer. */
export async function openProof (t: Test, browser: Browser, options: FastifyChatOptions = {}, context: PageWindowOptions = {}): Promise<ProofWindow> {
  const app = await build(t, options)
  const url = `http://127.0.0.1:${await listen(app)}/demo/?room=den`
  const window = await openPage(t, browser, url, { drawer: true, ...context })
  return { ...window, app, drawer: window.page.locator('#drawer') }
}

/** Posts a text in a pane, the first one by default. Doesn't wait until it is stored. */
export async function post (page: Page, text: string, pane = 0): Promise<void> {
  const field = page.getByLabel('Message', { exact: true }).nth(pane)
  await field.fill(text)
  await field.press('Enter')
}

/** Waits until the drawer shows a text. */
export async function shows (drawer: Locator, selector: string, text: string | RegExp): Promise<void> {
  await drawer.locator(selector, { hasText: text }).first().waitFor()
}

/** Resolves with the states of the dots. */
export async function dots (drawer: Locator): Promise<Array<string | undefined>> {
  return await drawer.locator('.dots .dot').evaluateAll((all) => all.map((dot) => (dot as HTMLElement).dataset['state']))
}

export const buttonOf = (drawer: Locator, name: string) => drawer.getByRole('button', { name, exact: true })
