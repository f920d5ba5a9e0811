import { closeSync } from 'node:fs'
import { open, type RootDatabase } from 'lmdb'
import { StoreDamaged } from '../../errors.ts'
import { openError } from './damage.ts'
import { damageOfMetas, openDataFile, type DataFile } from './data-file.ts'
import { DirectoryLock } from './directory-lock.ts'
import { createDirectory, identityOfFile, prepareFiles } from './directory.ts'
import { damageOfPages, damageOfSize } from './page-walk.ts'

/** An LMDB environment that no other store has open. The meta pages and the size of its data file are intact. */
export class LmdbEnvironment {
  /** real path of the directory */
  readonly path: string
  readonly root: RootDatabase<unknown, string>
  readonly #lock: DirectoryLock
  /** Device and inode of the open data file. */
  readonly #identity: string | undefined

  private constructor (path: string, root: RootDatabase<unknown, string>, lock: DirectoryLock) {
    this.path = path
    this.root = root
    this.#lock = lock
    this.#identity = identityOfFile(path)
  }

  /** Locks the directory before LMDB opens it. Rejects with StoreInUse, StoreDamaged or StoreUnusable. */
  static async open (path: string): Promise<LmdbEnvironment> {
    let [directory, lock, root]: [string, DirectoryLock?, RootDatabase<unknown, string>?] = [path]
    try {
      directory = createDirectory(path)
      lock = await DirectoryLock.acquire(directory)
      prepareFiles(directory)
      assertIntact(directory, damageOfMetas)
      // With overlappingSync, members could receive entries that a crash undoes. eventTurnBatching causes an unhandled rejection.
      root = open<unknown, string>({ path: directory, noSubdir: false, encoding: 'json', overlappingSync: false, eventTurnBatching: false })
      assertIntact(directory, damageOfSize)
      return new LmdbEnvironment(directory, root, lock)
    } catch (error) {
      await root?.close().catch(() => { /* the error that led here is thrown */ })
      lock?.release()
      throw openError(directory, error)
    }
  }

  /** Whether the data file was removed or replaced since it was opened. */
  get isGone (): boolean { return identityOfFile(this.path) !== this.#identity }

  /** Reads all pages of the data file. @throws StoreDamaged */
  verify (): void { assertIntact(this.path, damageOfPages) }

  async close (): Promise<void> {
    try {
      await this.root.close()
    } finally {
      this.#lock.release()
    }
  }
}

/** @throws StoreDamaged */
function assertIntact (directory: string, damageOf: (file: DataFile) => string | undefined): void {
  const file = openDataFile(directory)
  if (file === undefined) return
  try {
    const damage = damageOf(file)
    if (damage !== undefined) throw new StoreDamaged(directory, damage)
  } finally {
    closeSync(file.descriptor)
  }
}
