import { closeSync, existsSync, mkdirSync, openSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { StoreInUse, StoreUnavailable } from '../../errors.ts'

/** bytes: of LMDB's lock file, which are places for processes; and more than it writes when it begins a data file. */
const [LOCKS, BEGINNING] = [16_384, 65_536]

/** What is open in this process, by its real path: LMDB would let a second one in. */
const opened = new Set<string>()

/** Makes the directory if there is none, and returns its real path. @throws StoreInUse, StoreUnavailable */
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

/** Returns what tells the data file from another in its place; undefined while there is none, or it can't be seen. */
export function identityOfFile (directory: string): string | undefined {
  try {
    const { dev, ino } = statSync(join(directory, 'data.mdb'), { bigint: true })
    return `${dev} ${ino}`
  } catch {
    return undefined
  }
}

/**
 * Fails where LMDB's opening would, which ends the process by SIGSEGV then. And LMDB would make its lock file with a hole
 * in it: SIGBUS, when the disk is too full to fill that.
 */
export function prepareFiles (directory: string): void {
  const [data, lock, space] = ['data.mdb', 'lock.mdb', 'space'].map((name) => join(directory, name)) as [string, string, string]
  if (!existsSync(lock)) writeWhole(lock, LOCKS)
  closeSync(openSync(lock, 'r+'))
  if (existsSync(data)) {
    closeSync(openSync(data, 'r+'))
  } else {
    writeWhole(space, BEGINNING)
    rmSync(space)
  }
}

function writeWhole (file: string, bytes: number): void {
  try {
    writeFileSync(file, Buffer.alloc(bytes), { mode: 0o600 })
  } catch (error) {
    rmSync(file, { force: true })
    throw error
  }
}
