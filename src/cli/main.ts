#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { UsageError, parse } from './arguments.ts'

const help = `Usage: fastify-chat <command> [options]

Commands:
  serve          run the demo server: the page, /chat and /echo
  connect URL    talk to a WebSocket server from the terminal
  verify DIR     read all of a directory of messages, and report damage

Options:
  -h, --help     show this help, or a command's: fastify-chat serve --help
  -v, --version  show the version
`

const commands = new Map<string, (args: string[]) => Promise<number>>([
  ['serve', async (args) => (await import('./serve.ts')).serve(args)],
  ['connect', async (args) => (await import('./connect.ts')).connect(args)],
  ['verify', async (args) => (await import('./verify.ts')).verify(args)]
])

function version (): string {
  const file = new URL('../../package.json', import.meta.url)
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
  return version
}

async function run (args: string[]): Promise<number> {
  const [name = '', ...rest] = args
  const command = commands.get(name)
  if (command !== undefined) return await command(rest)

  const { values, positionals } = parse({
    args,
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean', short: 'v' }
    }
  })
  const [unknown] = positionals
  if (unknown !== undefined && !commands.has(unknown)) throw new UsageError(`unknown command '${unknown}'`)
  if (values.help === true) process.stdout.write(help)
  else if (values.version === true) process.stdout.write(`${version()}\n`)
  else throw new UsageError('missing command: serve, connect or verify')
  return 0
}

const args = process.argv.slice(2)
try {
  // Not process.exit(): it would drop output that a pipe has not accepted yet.
  process.exitCode = await run(args)
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  const command = ['fastify-chat', ...args.slice(0, 1).filter((name) => commands.has(name))].join(' ')
  process.stderr.write(`${command}: ${error.message}\nTry: ${command} --help\n`)
  process.exitCode = 2
}
