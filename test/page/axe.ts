import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Results { readonly violations: ReadonlyArray<{ readonly id: string, readonly nodes: ReadonlyArray<{ readonly html: string, readonly failureSummary: string }> }> }

/** Resolves with the accessibility violations of a page, such as `color-contrast: <p>…`. */
export async function violations (page: Page): Promise<string[]> {
  // Evaluated by the debugger, so that the policy of the page doesn't apply.
  await page.evaluate(source)
  const { violations } = await page.evaluate(async () => await (window as unknown as { axe: { run (): Promise<Results> } }).axe.run())
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`))
}
