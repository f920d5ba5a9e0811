import { parseArgs } from 'node:util'
import { Refused, Server } from './server.ts'
import { requirements, run, type Result } from './suite.ts'

const help = `Usage: npm run conformance -- [options] URL

Tries the chat server at URL, ws:// or wss://, against docs/PROTOCOL.md. A line for each requirement, with its section.
It joins rooms of its own, named conformance.*, and leaves their messages behind.

Options:
  --only SECTION   only this section: 7, or 7.3
  --timeout MS     how long an answer may take; 5000
  --token TOKEN    sent with hello, where the server asks for one
  -h, --help       show this help

Exit code: 0 when all passed, 1 when some failed, 2 when nothing could be tried.
`

class UsageError extends Error {}

function parse (args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        only: { type: 'string' },
        timeout: { type: 'string', default: '5000' },
        token: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false }
      }
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function print ({ section, title, reason }: Result): void {
  process.stdout.write(`${reason === undefined ? 'ok    ' : 'not ok'}  ${section.padEnd(5)} ${title}\n`)
  if (reason !== undefined) process.stdout.write(`              ${reason}\n`)
}

/** Node gives an error for several addresses no message. */
function reasonOf (error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException
  return `${message || code}${error instanceof Refused ? '; is the path right?' : ''}`
}

async function main (args: string[]): Promise<number> {
  const { values: { only, timeout: given, token, help: wanted }, positionals } = parse(args)
  if (wanted) {
    process.stdout.write(help)
    return 0
  }
  const [url, ...more] = positionals
  if (url === undefined || more.length > 0) throw new UsageError('one URL is needed')
  if (!URL.canParse(url) || !/^wss?:$/.test(new URL(url).protocol)) throw new UsageError(`not a ws:// or wss:// URL: ${url}`)
  const timeout = Number(given)
  if (!Number.isInteger(timeout) || timeout < 1) throw new UsageError(`not a number of ms: ${given}`)
  if (only !== undefined && !requirements.some(({ section }) => section === only || section.startsWith(`${only}.`))) {
    throw new UsageError(`no requirement is of section ${only}`)
  }

  const server = new Server(url, { timeout })
  try {
    await server.connect()
  } catch (error) {
    throw new UsageError(`can't connect to ${url}: ${reasonOf(error)}`)
  } finally {
    server.close()
  }

  const results = await run(url, { only, timeout, token }, print)
  const failed = results.filter(({ reason }) => reason !== undefined).length
  process.stdout.write(`\n${results.length - failed} passed, ${failed} failed\n`)
  return failed === 0 ? 0 : 1
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`conformance: ${error.message}\nTry: npm run conformance -- --help\n`)
  process.exitCode = 2
}
