import { closeSync } from 'node:fs'
import { open, type RootDatabase } from 'lmdb'
import { StoreDamaged, StoreInUse } from '../../errors.ts'
import { codedError } from './damage.ts'
import { damageOfMetas, openDataFile, type DataFile } from './data-file.ts'
import { claimDirectory, identityOfFile, prepareFiles, releaseDirectory } from './directory.ts'
import { damageOfPages, damageOfSize } from './page-walk.ts'

/** An LMDB environment that no other process or store has open. The meta pages and the size of its data file are intact. */
export class LmdbEnvironment {
  /** real path of the directory */
  readonly path: string
  readonly root: RootDatabase<unknown, string>
  /** Device and inode of the open data file. */
  readonly #identity: string | undefined

  /** @throws StoreInUse, StoreDamaged, StoreUnavailable */
  constructor (path: string) {
    this.path = claimDirectory(path)
    let root: RootDatabase<unknown, string> | undefined
    try {
      prepareFiles(this.path)
      this.#assertIntact(damageOfMetas)
      // With overlappingSync, members could receive entries that a crash undoes. eventTurnBatching causes an unhandled rejection.
      this.root = root = open<unknown, string>({ path: this.path, noSubdir: false, overlappingSync: false, eventTurnBatching: false })
      this.assertAlone()
      this.#assertIntact(damageOfSize)
      this.#identity = identityOfFile(this.path)
    } catch (error) {
      abandon(this.path, root)
      throw codedError(this.path, error)
    }
  }

  /** Whether the data file was removed or replaced since it was opened. */
  get isGone (): boolean { return identityOfFile(this.path) !== this.#identity }

  /** Reads all pages of the data file. @throws StoreDamaged */
  verify (): void { this.#assertIntact(damageOfPages) }

  /** Checks that no other process has the database open. Ignores the locks of dead processes. @throws StoreInUse */
  assertAlone (): void {
    this.root.useReadTransaction().done()
    this.root.readerCheck()
    const pids = this.root.readerList().matchAll(/^ *(\d+) +[\da-f]+ /gm)
    for (const [, pid] of pids) if (Number(pid) !== process.pid) throw new StoreInUse(this.path, `process ${pid}`)
  }

  /** Closes the environment in the background, after an error. The directory can be opened again at once. */
  abandon (): void { abandon(this.path, this.root) }

  async close (): Promise<void> {
    await this.root.close()
    releaseDirectory(this.path)
  }

  /** @throws StoreDamaged */
  #assertIntact (damageOf: (file: DataFile) => string | undefined): void {
    const file = openDataFile(this.path)
    if (file === undefined) return
    try {
      const damage = damageOf(file)
      if (damage !== undefined) throw new StoreDamaged(this.path, damage)
    } finally {
      closeSync(file.descriptor)
    }
  }
}

function abandon (path: string, root: RootDatabase | undefined): void {
  releaseDirectory(path)
  root?.close().catch(() => { /* the error that led here is thrown */ })
}
