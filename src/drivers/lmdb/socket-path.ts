import { closeSync, mkdtempSync, openSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Longest path of a Unix socket on all systems, in bytes. Node 20 truncates a longer path without an error. */
const LONGEST_PATH = 103

/** Calls `use` with a path of the socket `name` in a folder that is short enough. The path is valid until `use` settles. */
export async function withSocketPath<T> (folder: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = join(folder, name)
  if (Buffer.byteLength(path) <= LONGEST_PATH) return await use(path)
  const { alias, remove } = process.platform === 'linux' ? descriptorOf(folder) : linkTo(folder)
  try {
    return await use(join(alias, name))
  } finally {
    remove()
  }
}

/** A short path of a folder. `remove` frees it. */
interface Alias { readonly alias: string, readonly remove: () => void }

/** Linux finds a folder by its descriptor. No other folder needs to be writable. */
function descriptorOf (folder: string): Alias {
  const descriptor = openSync(folder, 'r')
  return { alias: `/proc/self/fd/${descriptor}`, remove: () => closeSync(descriptor) }
}

/** Not in `os.tmpdir()`, whose path is long on macOS. */
function linkTo (folder: string): Alias {
  const parent = mkdtempSync('/tmp/fastify-chat-')
  const alias = join(parent, 'link')
  symlinkSync(folder, alias)
  return { alias, remove: () => rmSync(parent, { recursive: true }) }
}
