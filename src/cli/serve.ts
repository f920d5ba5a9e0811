import { UsageError, parse } from './arguments.ts'
import { isRedisAddress } from './storage.ts'

const help = `Usage: fastify-chat serve [options]

Runs the demo server: the page at /, the chat at /chat, the echo at /echo.

Options:
  --port N           the port, 0 for any free one (default: PORT, else 3000)
  --host H           the address to listen at; 0.0.0.0 for all of this machine's
                     (default: HOST, else 127.0.0.1). At a loopback address it
                     is reached by a loopback name only: a request for another
                     Host gets 421
  --data DIR         keep messages in this directory, made if there is none: they
                     outlive the server (default: in memory)
  --redis URL        keep messages, and who is here, in this Redis: all servers on
                     it are one chat. redis://, rediss:// or the path of a Unix
                     socket. It must answer within 5 s at start; if it is gone
                     later, posts are refused until it is back
  --log-level LEVEL  trace, debug, info, warn, error, fatal or silent (default:
                     debug, which shows each message received; from warn on, not
                     even the address is shown)
  -h, --help         show this help

Logs are made for reading on a terminal, and JSON lines otherwise.
`

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/** Resolves with 0 once the server listens, or with 1 if it can't. */
export async function serve (args: string[]): Promise<number> {
  const { values } = parse({
    args,
    options: {
      port: { type: 'string' },
      host: { type: 'string' },
      data: { type: 'string' },
      redis: { type: 'string' },
      'log-level': { type: 'string', default: 'debug' },
      help: { type: 'boolean', short: 'h' }
    }
  })
  if (values.help === true) {
    process.stdout.write(help)
    return 0
  }
  const port = values.port === undefined
    ? parsePort('PORT', process.env['PORT'] || '3000')
    : parsePort('--port', values.port)
  const host = values.host ?? (process.env['HOST'] || '127.0.0.1')
  if (host === '') throw new UsageError('--host must be an address or a name')
  if (values.data === '') throw new UsageError('--data must be a directory')
  // The value is not printed: it may contain a password.
  if (values.redis !== undefined && !isRedisAddress(values.redis)) {
    throw new UsageError('--redis must be redis://HOST:PORT, rediss://HOST:PORT or the path of a Unix socket')
  }
  if (values.data !== undefined && values.redis !== undefined) {
    throw new UsageError('messages are kept in one place: --data or --redis')
  }
  const level = values['log-level']
  if (!levels.includes(level)) throw new UsageError(`--log-level must be one of ${levels.join(', ')}, not '${level}'`)

  // Loaded on demand, so that usage errors and the help appear at once.
  const { runServer } = await import('./server.ts')
  return await runServer({ port, host, level, data: values.data, redis: values.redis })
}

function parsePort (source: string, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN
  if (!(port <= 65_535)) throw new UsageError(`${source} must be a whole number from 0 to 65535, not '${text}'`)
  return port
}
