import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InvalidOption } from '../errors.ts'

/** The files that a browser loads for the page. */
export interface PageFiles {
  /** folder of the page itself */
  readonly root: string
  /** folder of the bundled client */
  readonly bundles: string
  /** paths in `bundles`; empty before the build */
  readonly library: readonly string[]
}

/**
 * Finds the files of the page in this package.
 * @throws InvalidOption in a bundle, which has this code without the files
 */
export function findPageFiles (): PageFiles {
  const folder = packageFolder()
  if (folder === undefined || !existsSync(join(folder, 'public/index.html'))) {
    throw new InvalidOption('page', "must be false here, because the files of the page are missing: a bundler doesn't include them. " +
      "To serve the page, exclude fastify-chat from the bundle: 'external' of esbuild and Rollup, 'externals' of webpack")
  }
  const bundles = join(folder, 'dist/page/')
  return { root: join(folder, 'public/'), bundles, library: filesIn(bundles) }
}

/** Returns all paths of the page: its own with and without the slash, its files and its configuration. */
export function pagePaths (path: string, { root, library }: PageFiles): string[] {
  const lib = [...library, '*'].map((file) => `lib/${file}`)
  const files = ['', 'config.json', ...filesIn(root), ...lib].map((file) => path + file)
  return path === '/' ? files : [path.slice(0, -1), ...files]
}

/**
 * Returns the folder of this package, from `src/` and from `dist/`; undefined if this code was moved out of it. A bundle may have
 * any package two folders above it, and its `public` folder must not be served as the page.
 */
function packageFolder (): string | undefined {
  // Undefined in a bundle in the CommonJS format.
  const url = import.meta.url as string | undefined
  if (url === undefined) return undefined
  const folder = fileURLToPath(new URL('../../', url))
  try {
    const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: unknown }
    return name === 'fastify-chat' ? folder : undefined
  } catch {
    return undefined
  }
}

/** Returns the paths of all files in a folder, with slashes; an empty list if the folder doesn't exist. */
function filesIn (folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)).replaceAll(sep, '/'))
}
