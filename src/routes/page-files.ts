import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InvalidOption } from '../errors.ts'

/** The files that a browser loads for the page. */
export interface PageFiles {
  /** folder of the page itself */
  readonly root: string
  /** names of the files in `root`, and of its folders */
  readonly files: readonly string[]
  readonly folders: readonly string[]
  /** folder of the bundled client */
  readonly bundles: string
  /** names of the files in `bundles`; empty before the build */
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
  const root = join(folder, 'public/')
  const bundles = join(folder, 'dist/page/')
  return { root, ...namesIn(root), bundles, library: namesIn(bundles).files }
}

/** Returns all paths of the page's routes: its own with and without the slash, its files, folders and configuration. */
export function pagePaths (path: string, { files, folders, library }: PageFiles): string[] {
  const lib = [...library, '*'].map((file) => `lib/${file}`)
  const paths = ['', 'config.json', ...files, ...folders.map((folder) => `${folder}/*`), ...lib].map((file) => path + file)
  return path === '/' ? paths : [path.slice(0, -1), ...paths]
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

/** Returns the names of the files and folders in a folder; none if it doesn't exist. */
function namesIn (folder: string): { readonly files: string[], readonly folders: string[] } {
  const entries = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : []
  const names = (areFolders: boolean) => entries.filter((entry) => entry.isDirectory() === areFolders).map(({ name }) => name)
  return { files: names(false), folders: names(true) }
}
