import { readdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** Arguments that start the compiled command. From source, each process would load a compiler for seconds. */
export const command: readonly [file: string, ...args: string[]] = [process.execPath, main]

if (changed('../../dist/') < changed('../../src/')) throw new Error('dist is older than src: npm run build')

/** Returns the time at which the newest file of a folder was written; 0 if there is none. */
function changed (folder: string): number {
  const path = fileURLToPath(new URL(folder, import.meta.url))
  try {
    const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    return Math.max(0, ...files.map(({ parentPath, name }) => statSync(`${parentPath}/${name}`).mtimeMs))
  } catch {
    return 0
  }
}
