import { parseArgs } from 'node:util'
import { DEFAULT_TIMEOUT, Server, UpgradeRefused } from './server.ts'
import { requirements, run, type Result } from './suite.ts'

const help = `Usage: npm run conformance -- [options] URL

Checks the chat server at URL (ws:// or wss://) against docs/PROTOCOL.md. Prints a line for each requirement, with its section.
The messages that it posts stay in rooms named conformance.*.

Options:
  --only SECTION   check only this section, such as 7 or 7.3
  --timeout MS     time limit for an answer (default: ${DEFAULT_TIMEOUT}). It must be longer
                   than the server's delay before it removes a member that left
  --token TOKEN    token to send with hello
  -h, --help       show this help

Exit code: 0 if all requirements passed; 1 if one failed; 2 for wrong usage or
if the server can't be reached.
`

class UsageError extends Error {}

function parse (args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        only: { type: 'string' },
        timeout: { type: 'string', default: String(DEFAULT_TIMEOUT) },
        token: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false }
      }
    })
  } catch (error) {
    // The rest is advice on arguments that start with a dash.
    throw new UsageError((error as Error).message.replace(/\. To specify a positional .*/s, '').replaceAll('\n', ' '))
  }
}

/** Where the command writes. */
export interface Output { readonly stdout: { write (text: string): void }, readonly stderr: { write (text: string): void } }

function print ({ section, title, reason, skipped }: Result, stdout: Output['stdout']): void {
  stdout.write(`${skipped ? 'skip  ' : reason === undefined ? 'ok    ' : 'not ok'}  ${section.padEnd(5)} ${title}\n`)
  if (reason !== undefined) stdout.write(`              ${reason}\n`)
}

/** Returns the message of an error, or its code: the error for a host name with several addresses has no message. */
function reasonOf (error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException
  return `${message || code}${error instanceof UpgradeRefused ? ': check the path of the URL' : ''}`
}

async function check (args: string[], stdout: Output['stdout']): Promise<number> {
  const { values: { only, timeout: given, token, help: wanted }, positionals } = parse(args)
  if (wanted) {
    stdout.write(help)
    return 0
  }
  const [url, ...more] = positionals
  if (url === undefined || more.length > 0) throw new UsageError('exactly one URL is required')
  if (!URL.canParse(url) || !/^wss?:$/.test(new URL(url).protocol)) throw new UsageError(`the URL must start with ws:// or wss://, not '${url}'`)
  const timeout = Number(given)
  if (!Number.isInteger(timeout) || timeout < 1) throw new UsageError(`--timeout must be a positive integer, not '${given}'`)
  if (only !== undefined && !requirements.some(({ section }) => section === only || section.startsWith(`${only}.`))) {
    throw new UsageError(`--only: no requirement belongs to section ${only}`)
  }

  const server = new Server(url, { timeout })
  try {
    await server.connect()
  } catch (error) {
    throw new UsageError(`can't connect to ${url}: ${reasonOf(error)}`)
  } finally {
    server.close()
  }

  const results = await run(url, { only, timeout, token }, (result) => print(result, stdout))
  const failed = results.filter(({ reason }) => reason !== undefined).length
  const skipped = results.filter((result) => result.skipped).length
  stdout.write(`\n${results.length - failed - skipped} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`)
  return failed === 0 ? 0 : 1
}

/** Runs the command with its arguments. Resolves with its exit code. */
export async function command (args: string[], { stdout, stderr }: Output): Promise<number> {
  try {
    return await check(args, stdout)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    stderr.write(`conformance: ${error.message}\nTry: npm run conformance -- --help\n`)
    return 2
  }
}
