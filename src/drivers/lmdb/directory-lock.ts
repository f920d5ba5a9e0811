import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { StoreInUse } from '../../errors.ts'
import { withSocketPath } from './socket-path.ts'

/**
 * The exclusive use of a directory, across all processes, threads and containers of one machine.
 *
 * The owner listens on a Unix socket in the folder `owner` of the directory. The system ends the socket with its process, so a
 * connection attempt shows whether the owner is alive, without its process id, which other pid namespaces don't know.
 *
 * A store first listens in a folder of its own, and then renames that folder to `owner`. This succeeds only if `owner` is
 * missing or empty, so that of several stores exactly one succeeds. Socket names are never used twice: a socket that refuses
 * connections in `owner` will never accept one, and anyone may remove it.
 */
export class DirectoryLock {
  readonly #server: Server
  /** path of the socket */
  readonly #socket: string

  private constructor (server: Server, socket: string) {
    this.#server = server
    this.#socket = socket
  }

  /** Rejects with StoreInUse if the directory is locked, or with a system error. */
  static async acquire (directory: string): Promise<DirectoryLock> {
    const [owner, candidate] = [join(directory, 'owner'), mkdtempSync(join(directory, 'owner-'))]
    const name = `${process.pid}-${randomBytes(6).toString('hex')}-${hostname().replaceAll(/[^\w.-]/g, '_').slice(0, 20)}`
    const server = createServer((socket) => socket.destroy()).unref()
    try {
      await listen(server, candidate, name)
      while (!isMoved(candidate, owner)) await removeDead(directory, owner)
      return new DirectoryLock(server, join(owner, name))
    } catch (error) {
      server.close()
      rmSync(candidate, { recursive: true, force: true })
      throw error
    }
  }

  release (): void {
    try {
      rmSync(this.#socket)
      rmdirSync(dirname(this.#socket))
    } catch {
      // Another store is the owner already, or the directory became read-only, for example. The next owner removes the socket.
    }
    this.#server.close()
  }
}

async function listen (server: Server, folder: string, name: string): Promise<void> {
  await withSocketPath(folder, name, async (path) => {
    // Without `exclusive`, the workers of a cluster would share one socket.
    server.listen({ path, exclusive: true })
    await once(server, 'listening')
  })
  // A connection that can't be accepted has no effect: its client needs only to be connected.
  server.on('error', () => {})
}

/** Renames a folder, unless the target has content. Returns whether it was renamed. */
function isMoved (folder: string, target: string): boolean {
  try {
    renameSync(folder, target)
    return true
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST'].includes(String((error as NodeJS.ErrnoException).code))) return false
    throw error
  }
}

/** Removes the sockets of dead owners. @throws StoreInUse if an owner is alive */
async function removeDead (directory: string, owner: string): Promise<void> {
  try {
    for (const name of readdirSync(owner)) {
      if (await isAlive(owner, name)) {
        const [, pid, host] = /^(\d+)-[\da-f]+-(.*)$/.exec(name) ?? []
        throw new StoreInUse(directory, `process ${pid} on '${host}'`)
      }
      rmSync(join(owner, name), { force: true })
    }
  } catch (error) {
    // The owner has ended, and has removed the folder.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** Resolves with whether a process listens on a socket. It needn't respond: the system accepts the connection. */
function isAlive (folder: string, name: string): Promise<boolean> {
  return withSocketPath(folder, name, (path) => new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // ECONNRESET: the owner ended before it accepted. EAGAIN: it is blocked or stopped, and its queue of connections is full.
      if (['ECONNREFUSED', 'ECONNRESET', 'ENOENT'].includes(String(error.code))) resolve(false)
      else if (error.code === 'EAGAIN') resolve(true)
      else reject(error)
    })
  }))
}
