import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the build. */
export const dist = fileURLToPath(new URL('../../dist', import.meta.url))

/** Arguments that start the compiled command. From source, each process would also load tsx. */
export const command: readonly [file: string, ...args: string[]] = [process.execPath, join(dist, 'cli/main.js')]

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
