import { isIPv6 } from 'node:net'
import closeWithGrace from 'close-with-grace'
import { fastify } from 'fastify'
import type { Backend } from '../backend.ts'
import fastifyChat from '../plugin.ts'
import { logOptions, logRefusedRequests } from './log.ts'
import { guardLoopback } from './loopback.ts'
import { StorageError } from './storage.ts'

/** Options of the demo server, from the command line. */
export interface ServerOptions {
  readonly port: number
  readonly host: string
  /** log level */
  readonly level: string
  /** undefined: in the memory of this process */
  readonly backend: Backend | undefined
}

// A fault repeats endlessly, at full load, if its signal has a listener, instead of ending the process (Node's "Signal
// events"). Seen on Node 20, which aborts at exit while it resets a closed terminal.
const crashes = ['SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV', 'SIGTRAP'] as const

/** Resolves with 0 once the server listens, or with 1 if it can't. */
export async function runServer ({ port, host, level, backend }: ServerOptions): Promise<number> {
  const app = fastify(await logOptions(level))
  logRefusedRequests(app)
  const grace = closeWithGrace({ logger: app.log, skip: [...crashes] }, async ({ err, signal }) => {
    if (err === undefined) app.log.info(`${signal} received, closing`)
    else app.log.error({ err }, 'closing because of an error')
    await app.close()
  })
  guardLoopback(app, host)
  try {
    await app.register(fastifyChat, { page: '/', backend, limits: { connectionsPerAddress: 100 } })
    await app.listen({ port, host })
    return 0
  } catch (error) {
    const reason = error instanceof StorageError ? error.message : listenError(error as NodeJS.ErrnoException, host, port)
    if (reason === undefined) throw error
    grace.uninstall()
    await app.close()
    process.stderr.write(`${reason}\n`)
    return 1
  }
}

/** Returns a message if the system rejected the address; undefined for any other error. */
function listenError ({ code, syscall }: NodeJS.ErrnoException, host: string, port: number): string | undefined {
  const address = isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
  switch (code) {
    case 'EADDRINUSE':
      return `${address} is already in use: choose another port with --port or PORT`
    case 'EACCES':
      return `no permission to listen on ${address}: choose a port above 1023 with --port or PORT`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${host} is not an address of this machine: choose another with --host or HOST`
  }
  return syscall === 'listen' || syscall === 'getaddrinfo' ? `can't listen on ${address}: ${code}` : undefined
}
