import { isIPv6 } from 'node:net'
import { UsageError, checkDirectory, parse } from './arguments.ts'
import { directoryBackend, isRedisAddress, redisBackend } from './storage.ts'

const help = `Usage: fastify-chat serve [options]

Runs the demo server: the page at /, the chat at /chat, the echo at /echo.

Options:
  -p, --port N       port to listen on; 0: any free port (default: PORT or 3000)
  --host H           address to listen on; 0.0.0.0: all addresses of this machine
                     (default: HOST or 127.0.0.1). On a loopback address,
                     requests for a host name that isn't a loopback name are
                     answered with 421
  --data DIR         store messages in this directory, which is created if it
                     doesn't exist (default: messages are lost at exit)
  --redis URL        store messages and presence in this Redis: all servers that
                     use it form one chat. redis://, rediss:// or the path of a
                     Unix socket. It must answer within 5 s at start; if it is
                     unavailable later, posts are refused
  --log-level LEVEL  trace, debug, info, warn, error, fatal or silent (default:
                     debug, which logs each received message; warn and above
                     don't log the address of the server)
  -h, --help         show this help

Logs are readable text on a terminal, and JSON lines otherwise.
`

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/** Resolves with 0 once the server listens, or with 1 if it can't. */
export async function serve (args: string[]): Promise<number> {
  const { values } = parse({
    args,
    options: {
      port: { type: 'string', short: 'p' },
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
  const host = values.host === undefined
    ? parseHost('HOST', process.env['HOST'] || '127.0.0.1')
    : parseHost('--host', values.host)
  if (values.data !== undefined) checkDirectory('--data', values.data)
  // The value is not printed: it may contain a password.
  if (values.redis !== undefined && !isRedisAddress(values.redis)) {
    throw new UsageError('--redis must be redis://HOST:PORT, rediss://HOST:PORT or the path of a Unix socket')
  }
  if (values.data !== undefined && values.redis !== undefined) {
    throw new UsageError('use either --data or --redis, not both')
  }
  const level = values['log-level']
  if (!levels.includes(level)) throw new UsageError(`--log-level must be one of ${levels.join(', ')}, not '${level}'`)

  // Loaded on demand, so that usage errors and the help appear at once.
  const { runServer } = await import('./server.ts')
  const backend = values.data !== undefined
    ? directoryBackend(values.data)
    : values.redis !== undefined ? redisBackend(values.redis) : undefined
  return await runServer({ port, host, level, backend })
}

/** Returns the address or the name, without the brackets that an IPv6 address has in a URL. */
function parseHost (source: string, text: string): string {
  const host = /^\[(.*)\]$/.exec(text)?.[1] ?? text
  if (isIPv6(host) || (host === text && /^[\w.-]+$/.test(host))) return host
  throw new UsageError(`${source} must be an IP address or a host name, without scheme and port, not '${text}'`)
}

function parsePort (source: string, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN
  if (!(port <= 65_535)) throw new UsageError(`${source} must be an integer from 0 to 65535, not '${text}'`)
  return port
}
