import { closeSync, existsSync, mkdirSync, openSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DATA_FILE } from './data-file.ts'

/** Bytes of LMDB's lock file, and an upper bound for the bytes of a new data file. */
const [LOCK_FILE, NEW_DATA_FILE] = [16_384, 65_536]

/** Creates a directory if necessary, and returns its real path. */
export function createDirectory (path: string): string {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    // Node 20 reports ENOENT on a read-only file system. Without `recursive` it reports the reason.
    mkdirSync(path, { mode: 0o700 })
  }
  return realpathSync(path)
}

/** Returns device and inode of the data file, to detect its replacement; undefined if it is missing or inaccessible. */
export function identityOfFile (directory: string): string | undefined {
  try {
    const { dev, ino } = statSync(join(directory, DATA_FILE), { bigint: true })
    return `${dev} ${ino}`
  } catch {
    return undefined
  }
}

/**
 * Throws if LMDB would fail to open the database, because it would end the process with SIGSEGV. Writes the whole lock file:
 * LMDB creates a sparse file, and ends the process with SIGBUS if the disk is full when it writes to the hole.
 */
export function prepareFiles (directory: string): void {
  const [data, lock, space] = [DATA_FILE, 'lock.mdb', 'space'].map((name) => join(directory, name)) as [string, string, string]
  if (!existsSync(lock)) writeZeros(lock, LOCK_FILE)
  closeSync(openSync(lock, 'r+'))
  if (existsSync(data)) {
    closeSync(openSync(data, 'r+'))
  } else {
    writeZeros(space, NEW_DATA_FILE)
    rmSync(space)
  }
}

function writeZeros (file: string, bytes: number): void {
  try {
    writeFileSync(file, Buffer.alloc(bytes), { mode: 0o600 })
  } catch (error) {
    rmSync(file, { force: true })
    throw error
  }
}
