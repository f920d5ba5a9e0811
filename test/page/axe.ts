import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Results { readonly violations: ReadonlyArray<{ readonly id: string, readonly nodes: ReadonlyArray<{ readonly html: string, readonly failureSummary: string }> }> }
interface Axe { run (options: { resultTypes: string[], runOnly?: readonly string[] }): Promise<Results> }

/** The rules whose result depends on the colours. */
const colourRules = ['color-contrast', 'link-in-text-block']

/** Resolves with the violations of a page in light, in dark and in forced colours, of which it keeps the first. */
export async function violationsInAllColours (page: Page): Promise<string[]> {
  const found = await violations(page)
  for (const colours of [{ colorScheme: 'dark', forcedColors: 'none' }, { colorScheme: 'light', forcedColors: 'active' }] as const) {
    await page.emulateMedia(colours)
    found.push(...(await violations(page, colourRules)).map((violation) => `${JSON.stringify(colours)}: ${violation}`))
  }
  await page.emulateMedia({ colorScheme: 'light', forcedColors: 'none' })
  return found
}

/**
 * Resolves with the accessibility violations of a page, such as `color-contrast: <p>…`. Waits until transitions have ended.
 * @param rules those that run; all by default
 */
export async function violations (page: Page, rules?: readonly string[]): Promise<string[]> {
  // The colours within a transition have less contrast. An animation that repeats has no end.
  await page.evaluate(async () => {
    const running = document.getAnimations().filter(({ effect }) => effect!.getComputedTiming().endTime !== Infinity)
    await Promise.allSettled(running.map(({ finished }) => finished))
  })
  // Evaluated by the debugger, so that the policy of the page doesn't apply.
  if (await page.evaluate('typeof axe') === 'undefined') await page.evaluate(source)
  const { violations } = await page.evaluate(async (rules) => {
    const transitions = document.getAnimations().filter((animation) => animation instanceof CSSTransition)
    await Promise.allSettled(transitions.map(({ finished }) => finished))
    // Nodes without a violation are not described, which takes most of the time.
    return await (window as unknown as { axe: Axe }).axe.run({ resultTypes: ['violations'], ...rules !== undefined && { runOnly: rules } })
  }, rules)
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`))
}
