import { WebSocket } from 'ws'
import { printable } from '../observability/printable.ts'
import { refusal } from './refusal.ts'
import type { Terminal } from './terminal.ts'

// Milliseconds.
const timeouts = { handshakeTimeout: 10_000, closeTimeout: 5_000 }
const answerPause = 250
const answerTimeout = 5_000

// A normal end, a server that goes away, no code given. Any other is a failure: broken, refused, too big …
const cleanCodes = [1000, 1001, 1005]
const meanings = new Map([[1005, 'no code given'], [1006, 'the connection broke']])

/** What is sent, in order. It ends early when the signal aborts. */
export type Script = (signal: AbortSignal) => AsyncIterable<string>

/** Connects, sends the script, closes after it, and prints what happens. Resolves to the exit code. */
export function converse (url: URL, script: Script, terminal: Terminal): Promise<number> {
  const over = new AbortController()
  const socket = new WebSocket(url, timeouts)
  let opened = false
  let interrupted = false
  let failure: string | undefined

  function interrupt () {
    interrupted = true
    over.abort()
    socket.close(1000)
  }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  // EPIPE: whoever read our output, `head` say, has seen enough.
  process.stdout.on('error', interrupt)

  socket.on('open', async () => {
    opened = true
    terminal.print('Connected')
    for await (const text of script(over.signal)) {
      // One at a time: a server that does not read must not fill our memory from a pipe.
      await new Promise((resolve) => { socket.send(text, resolve) })
    }
    if (!over.signal.aborted) await answered(socket)
    socket.close(1000)
  })
  socket.on('message', (data: Buffer, isBinary) => {
    terminal.print(`Received: ${isBinary ? `${data.length} bytes of binary` : printable(data.toString())}`)
  })
  socket.on('unexpected-response', async (_request, response) => {
    failure = await refusal(response)
    socket.terminate()
  })
  socket.on('error', (error) => {
    failure ??= reason(error)
  })

  return new Promise((resolve) => {
    socket.on('close', (code, said) => {
      over.abort()
      if (failure !== undefined && !interrupted) {
        process.stderr.write(`${opened ? 'Error' : 'Connection failed'}: ${printable(failure)}\n`)
      }
      if (opened) {
        const why = said.length > 0 ? printable(said.toString()) : meanings.get(code)
        terminal.print(`Disconnected (code ${code}${why === undefined ? '' : `, ${why}`})`)
      }
      resolve(interrupted || (opened && cleanCodes.includes(code)) ? 0 : 1)
    })
  })
}

/**
 * Nothing tells an answer from other messages, and a server may answer later than it reads. So: a ping, whose pong
 * comes when all before it was read; then until nothing has come for a moment; at most answerTimeout.
 */
function answered (socket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(limit)
      clearTimeout(pause)
      resolve()
    }
    const limit = setTimeout(done, answerTimeout)
    let pause: NodeJS.Timeout | undefined
    socket.once('close', done)
    socket.once('pong', () => {
      pause = setTimeout(done, answerPause)
      socket.on('message', () => pause?.refresh())
    })
    socket.ping()
  })
}

/** Several addresses tried, as for localhost, fail as one error without a message. */
function reason (error: Error): string {
  return error instanceof AggregateError ? error.errors.map(({ message }) => message).join(', ') : error.message
}
