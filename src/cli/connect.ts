import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError, parse } from './arguments.ts'
import { converse } from './conversation.ts'
import { Terminal } from './terminal.ts'

const help = `Usage: fastify-chat connect [options] URL

Connects to a WebSocket server and prints one line per event: Connected,
Received: …, Disconnected (code …). URL starts with ws://, wss://, http:// or
https://.

Without --send, each line of stdin is sent, and the connection is closed at the
end of stdin (Ctrl-D, or the end of a pipe or file). With --send, stdin is not
read.

Options:
  --send TEXT       send TEXT once connected, then print received messages
  --every DURATION  repeat TEXT at this interval: 500ms, 3s, 2m, 1h; a number
                    without a unit is in seconds
  --count N         send TEXT N times, then close; without --every the messages
                    are sent at once
  --room R          join room R, as with ?room=R in the URL
  --name N          use the name N, as with ?name=N in the URL
  -h, --help        show this help

Before it closes the connection, the command waits for answers: until the server
has read all messages and sent none for 0.25 s, at most 5 s. Ctrl-C closes at
once.

Exit code: 0 after a clean close (1000, 1001, no code) or Ctrl-C; 1 if the
connection failed or was closed for another reason; 2 for wrong usage.
`

const protocols = new Map([['ws:', 'ws:'], ['wss:', 'wss:'], ['http:', 'ws:'], ['https:', 'wss:']])
const units = new Map([['ms', 1], ['', 1000], ['s', 1000], ['m', 60_000], ['h', 3_600_000]])
const longestTimer = 2 ** 31 - 1

export async function connect (args: string[]): Promise<number> {
  const { values, positionals } = parse({
    args,
    allowPositionals: true,
    options: {
      send: { type: 'string' },
      every: { type: 'string' },
      count: { type: 'string' },
      room: { type: 'string' },
      name: { type: 'string' },
      help: { type: 'boolean', short: 'h' }
    }
  })
  if (values.help === true) {
    process.stdout.write(help)
    return 0
  }
  const [address, surplus] = positionals
  if (address === undefined) throw new UsageError('missing URL')
  if (surplus !== undefined) throw new UsageError(`unexpected argument '${surplus}': put a text with spaces in quotes`)
  const url = parseUrl(address)
  if (values.room !== undefined) url.searchParams.set('room', values.room)
  if (values.name !== undefined) url.searchParams.set('name', values.name)

  const terminal = new Terminal()
  const every = values.every === undefined ? undefined : parseDuration(values.every)
  const count = values.count === undefined ? undefined : parseCount(values.count)
  const { send: text } = values
  if (text === undefined && every !== undefined) throw new UsageError('--every requires --send')
  if (text === undefined && count !== undefined) throw new UsageError('--count requires --send')
  return await converse(url, (signal) => text === undefined ? terminal.lines(signal) : repeat(text, every, count, signal), terminal)
}

async function * repeat (text: string, every: number | undefined, count: number | undefined, signal: AbortSignal) {
  const times = count ?? (every === undefined ? 1 : Infinity)
  yield text
  for (let sent = 1; sent < times && !signal.aborted; sent++) {
    if (every !== undefined) await sleep(every, undefined, { signal }).catch(() => {})
    if (!signal.aborted) yield text
  }
  // Without a count the connection stays open, to print the messages that arrive.
  if (count === undefined && !signal.aborted) await once(signal, 'abort')
}

function parseUrl (text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const protocol = protocols.get(url?.protocol ?? '')
  if (url === undefined || protocol === undefined) {
    throw new UsageError(`the URL must start with ws://, wss://, http:// or https://, not '${text}'`)
  }
  url.protocol = protocol
  // A WebSocket URL has no fragment (RFC 6455, section 3).
  url.hash = ''
  return url
}

function parseDuration (text: string): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? []
  const duration = Number(amount) * (units.get(unit) ?? NaN)
  if (!(duration >= 1 && duration <= longestTimer)) {
    throw new UsageError(`--every must be a duration from 1ms to 24 days, such as 500ms, 3s or 2m, not '${text}'`)
  }
  return duration
}

function parseCount (text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError(`--count must be a positive integer, not '${text}'`)
  return Number(text)
}
