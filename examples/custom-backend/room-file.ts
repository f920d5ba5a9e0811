import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A file whose writes survive a crash: each is flushed to the disk before its promise resolves. */
export class RoomFile {
  readonly #path: string

  constructor (path: string) {
    this.#path = path
  }

  /** Resolves with the content; `undefined` if there is no file. */
  async read (): Promise<string | undefined> {
    return readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
  }

  async append (text: string): Promise<void> {
    await write(this.#path, 'a', text)
  }

  /** Replaces the whole content, or nothing. */
  async replace (text: string): Promise<void> {
    const folder = dirname(this.#path)
    await mkdir(folder, { recursive: true })
    await write(`${this.#path}.new`, 'w', text)
    await rename(`${this.#path}.new`, this.#path)
    // Windows can't flush a directory.
    if (process.platform !== 'win32') await write(folder, 'r', '')
  }
}

async function write (path: string, flags: string, text: string): Promise<void> {
  const file = await open(path, flags)
  try {
    if (text !== '') await file.appendFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}
