import { closeSync, existsSync, mkdirSync, openSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { StoreInUse, StoreUnavailable } from '../../errors.ts'
import { DATA_FILE } from './data-file.ts'

/** Bytes of LMDB's lock file, and an upper bound of what LMDB writes when it creates a data file. */
const [LOCKS, BEGINNING] = [16_384, 65_536]

/** Real paths of the directories open in this process: LMDB would allow opening one twice. */
const opened = new Set<string>()

/** Creates the directory if necessary, marks it as open, and returns its real path. @throws StoreInUse, StoreUnavailable */
export function claimDirectory (path: string): string {
  let directory: string
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    directory = realpathSync(path)
  } catch (cause) {
    throw new StoreUnavailable({ cause })
  }
  if (opened.has(directory)) throw new StoreInUse(directory, process.pid)
  opened.add(directory)
  return directory
}

export function releaseDirectory (directory: string): void { opened.delete(directory) }

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
 * Throws where opening the database would fail: LMDB ends the process with SIGSEGV then. Writes the lock file in full: LMDB
 * creates it sparse, and a disk too full to fill the hole ends the process with SIGBUS.
 */
export function prepareFiles (directory: string): void {
  const [data, lock, space] = [DATA_FILE, 'lock.mdb', 'space'].map((name) => join(directory, name)) as [string, string, string]
  if (!existsSync(lock)) writeZeros(lock, LOCKS)
  closeSync(openSync(lock, 'r+'))
  if (existsSync(data)) {
    closeSync(openSync(data, 'r+'))
  } else {
    writeZeros(space, BEGINNING)
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
