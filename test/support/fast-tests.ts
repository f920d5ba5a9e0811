import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Modules that start processes or browsers. A test that imports one, directly or through its support files, isn't fast. */
const starters = /^(node:)?(child_process|cluster)$|^playwright/

/** Returns the paths, relative to `test/`, of the tests that start no process: no browser, server or command. */
export function fastTests (): string[] {
  const compat = join(root, 'compat')
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.test.ts') && !join(root, path).startsWith(compat) && !startsProcess(join(root, path)))
    .sort()
}

function startsProcess (file: string, seen = new Set<string>()): boolean {
  seen.add(file)
  return imports(file).some((name) => {
    const path = join(file, '..', name)
    if (!name.startsWith('.') || relative(root, path).startsWith('..')) return starters.test(name)
    return !seen.has(path) && startsProcess(path, seen)
  })
}

/** Returns the modules that a file imports, statically or dynamically. */
function imports (file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(/^(?:import|export)\b[^'"]*?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm)]
    .map(([, fixed, dynamic]) => (fixed ?? dynamic)!)
}
