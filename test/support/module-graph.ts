import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'

const checkout = fileURLToPath(new URL('../..', import.meta.url))

/** Returns the paths, relative to the page, of the modules that these import statically, with themselves, in the order of loading. */
export function moduleGraph (entries: readonly string[]): string[] {
  const found = new Set<string>()
  const add = (path: string) => {
    if (found.has(path)) return
    found.add(path)
    const source = readFileSync(path.startsWith('lib/') ? `${checkout}dist/page/${path.slice(4)}` : `${checkout}public/${path}`, 'utf8')
    for (const [, imported] of source.matchAll(/^(?:import|export)\b[^'"]*?from\s+['"](\.[^'"]+)['"]|^import\s+['"](\.[^'"]+)['"]/gm)) {
      add(posix.join(posix.dirname(path), imported!))
    }
  }
  for (const entry of entries) add(entry)
  return [...found]
}

/** Returns the modules that the page needs before its room is shown: those of `main.js` and of its first imports. */
export function firstModules (): string[] { return moduleGraph(['main.js', 'proof/link.js', 'pane.js']) }
