import { MAX_MESSAGES } from '../protocol.ts'
import { UsageError, parse } from './arguments.ts'
import { parseCredentials, parseDuration, parseHeaders, parseLimit, parseOrigin, parsePositive, parseSubprotocols, parseUrl } from './connect-arguments.ts'
import { exitStatusHelp } from './exit-status.ts'
import type { Target } from './handshake.ts'
import { jsonOutput, textOutput } from './output.ts'
import { conversePlain } from './plain-conversation.ts'
import { repetition, type Script } from './script.ts'
import { Terminal } from './terminal.ts'
import { converseV1 } from './v1-conversation.ts'

/** The server's default, for v1, which has no default room. */
const DEFAULT_ROOM = 'lobby'

const help = `Usage: fastify-chat connect [options] URL

Connects to a WebSocket server, sends each line of stdin as a message, and
prints one line per event. At the end of stdin (Ctrl-D, or the end of a pipe or
file) it closes the connection. URL starts with ws://, wss://, http:// or
https://.

Messages:
  --send TEXT       send TEXT once connected, then print received messages;
                    stdin is not read
  --every DURATION  repeat TEXT at this interval: 500ms, 3s, 2m, 1h; a number
                    without a unit is in seconds
  --count N         send TEXT N times, then close; without --every the messages
                    are sent at once
  --json            print each message, and with --v1 each change of one, as
                    one line of JSON to stdout, and the status to stderr

Chat:
  --room R          join room R, as with ?room=R in the URL (default: lobby)
  --name N          use the name N, as with ?name=N in the URL
  --history N       print the newest N messages of the room first, at most
                    ${MAX_MESSAGES}, as with ?history=N in the URL
  --v1              use the protocol fastify-chat.v1 instead of plain messages:
                    posts are acknowledged, and the command reconnects and
                    resumes when the connection is lost
  --token TOKEN     token for the server's authenticate hook; requires --v1

Handshake:
  -H, --header NAME:VALUE  send this header; can be repeated
  -s, --subprotocol NAME   offer this subprotocol; can be repeated
  -o, --origin ORIGIN      send this Origin
  --auth USER:PASSWORD     Basic authentication, as with ws://USER:PASSWORD@…
  -n, --no-check           accept any certificate of the server

  -h, --help        show this help

With --v1 the connection is closed when all messages are acknowledged. Without
it nothing is acknowledged: the command waits until the server has read all
messages and sent none for 0.25 s, at most 5 s. Ctrl-C closes at once.

${exitStatusHelp}
Examples:
  fastify-chat connect ws://localhost:3000/chat --room tea --name ada
  fastify-chat connect ws://localhost:3000/echo --send Hello --every 3s
  fastify-chat connect wss://example.com/chat -H 'Cookie: sid=42' --history 20
  fastify-chat connect wss://example.com/chat --v1 --token "$TOKEN" < lines.txt
  fastify-chat connect ws://localhost:3000/chat --v1 --json | jq -r .text
`

export async function connect (args: string[]): Promise<number> {
  const { values, positionals } = parse({
    args,
    allowPositionals: true,
    options: {
      send: { type: 'string' },
      every: { type: 'string' },
      count: { type: 'string' },
      json: { type: 'boolean', default: false },
      room: { type: 'string' },
      name: { type: 'string' },
      history: { type: 'string' },
      v1: { type: 'boolean', default: false },
      token: { type: 'string' },
      header: { type: 'string', short: 'H', multiple: true, default: [] },
      subprotocol: { type: 'string', short: 's', multiple: true, default: [] },
      origin: { type: 'string', short: 'o' },
      auth: { type: 'string' },
      'no-check': { type: 'boolean', short: 'n', default: false },
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
  const history = values.history === undefined ? undefined : parseLimit('--history', values.history, MAX_MESSAGES)
  for (const [name, value] of Object.entries({ room: values.room, name: values.name, history })) {
    if (value !== undefined) url.searchParams.set(name, String(value))
  }
  const protocols = parseSubprotocols(values.subprotocol)
  if (values.v1 && protocols.length > 0) throw new UsageError('use either --v1 or --subprotocol, not both')
  if (!values.v1 && values.token !== undefined) throw new UsageError('--token requires --v1: a plain client sends a header')
  if (values['no-check'] && url.protocol !== 'wss:') throw new UsageError('--no-check requires a wss:// or https:// URL')
  const headers = parseHeaders(values.header)
  if (values.origin !== undefined) headers.set('origin', parseOrigin(values.origin))
  if (values.auth !== undefined) headers.set('authorization', parseCredentials(values.auth))
  const target: Target = {
    url,
    options: {
      headers: Object.fromEntries(headers),
      rejectUnauthorized: !values['no-check']
    }
  }

  const terminal = new Terminal()
  const script = parseScript(values) ?? ((signal) => terminal.lines(signal))
  const output = values.json ? jsonOutput(terminal) : textOutput(terminal)
  if (!values.v1) return await conversePlain(target, protocols, script, output)
  const { searchParams } = url
  return await converseV1(target, {
    room: searchParams.get('room') ?? DEFAULT_ROOM,
    name: searchParams.get('name') ?? undefined,
    token: values.token,
    history: parseLimit('history', searchParams.get('history') ?? '0', MAX_MESSAGES)
  }, script, output)
}

function parseScript ({ send, every, count }: { send?: string, every?: string, count?: string }): Script | undefined {
  const interval = every === undefined ? undefined : parseDuration('--every', every)
  const times = count === undefined ? undefined : parsePositive('--count', count)
  if (send !== undefined) return repetition(send, interval, times)
  if (every !== undefined) throw new UsageError('--every requires --send')
  if (count !== undefined) throw new UsageError('--count requires --send')
  return undefined
}
