import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Results { readonly violations: ReadonlyArray<{ readonly id: string, readonly nodes: ReadonlyArray<{ readonly html: string, readonly failureSummary: string }> }> }
interface Axe { run (options: { resultTypes: string[] }): Promise<Results> }

/** Resolves with the accessibility violations of a page, such as `color-contrast: <p>…`. Waits until transitions have ended. */
export async function violations (page: Page): Promise<string[]> {
  // The colours within a transition have less contrast. An animation that repeats has no end.
  await page.evaluate(async () => {
    const running = document.getAnimations().filter(({ effect }) => effect!.getComputedTiming().endTime !== Infinity)
    await Promise.allSettled(running.map(({ finished }) => finished))
  })
  // Evaluated by the debugger, so that the policy of the page doesn't apply.
  if (await page.evaluate('typeof axe') === 'undefined') await page.evaluate(source)
  const { violations } = await page.evaluate(async () => {
    const transitions = document.getAnimations().filter((animation) => animation instanceof CSSTransition)
    await Promise.allSettled(transitions.map(({ finished }) => finished))
    // All rules run. Nodes without a violation are not described, which takes most of the time.
    return await (window as unknown as { axe: Axe }).axe.run({ resultTypes: ['violations'] })
  })
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`))
}
