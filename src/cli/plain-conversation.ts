import { WebSocket } from 'ws'
import { printable } from '../observability/printable.ts'
import { CloseCode } from '../protocol.ts'
import { responseError } from './response-error.ts'
import type { Terminal } from './terminal.ts'

// Milliseconds.
const timeouts = { handshakeTimeout: 10_000, closeTimeout: 5_000 }
const answerPause = 250
const answerTimeout = 5_000

/** Reported when the close frame had no code, and when no close frame was received. RFC 6455, section 7.4.1. */
const NO_CODE = 1005
const ABNORMAL = 1006

// Any other code is a failure.
const cleanCodes: readonly number[] = [CloseCode.normal, CloseCode.goingAway, NO_CODE]
const meanings = new Map([[NO_CODE, 'no close code'], [ABNORMAL, 'no close frame']])

/** Yields the texts to send, in order. Ends early when the signal aborts. */
export type Script = (signal: AbortSignal) => AsyncIterable<string>

/** Connects, sends the script, closes, and prints each event. Resolves with the exit code. */
export function converse (url: URL, script: Script, terminal: Terminal): Promise<number> {
  const ended = new AbortController()
  const socket = new WebSocket(url, timeouts)
  let opened = false
  let interrupted = false
  let failure: string | undefined

  function interrupt () {
    interrupted = true
    ended.abort()
    socket.close(CloseCode.normal)
  }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  // EPIPE: the reader of our output, such as `head`, has closed the pipe.
  process.stdout.on('error', interrupt)

  socket.on('open', async () => {
    opened = true
    terminal.print('Connected')
    for await (const text of script(ended.signal)) {
      // Waits for each write: otherwise input from a pipe fills our memory while the server doesn't read.
      await new Promise((resolve) => { socket.send(text, resolve) })
    }
    if (!ended.signal.aborted) await untilAnswered(socket)
    socket.close(CloseCode.normal)
  })
  socket.on('message', (data: Buffer, isBinary) => {
    terminal.print(`Received: ${isBinary ? `${data.length} bytes of binary` : printable(data.toString())}`)
  })
  socket.on('unexpected-response', async (_request, response) => {
    failure = await responseError(response)
    socket.terminate()
  })
  socket.on('error', (error) => {
    failure ??= reason(error)
  })

  return new Promise((resolve) => {
    socket.on('close', (code, closeReason) => {
      ended.abort()
      if (failure !== undefined && !interrupted) {
        process.stderr.write(`${opened ? 'Error' : 'Connection failed'}: ${printable(failure)}\n`)
      }
      if (opened) {
        const why = closeReason.length > 0 ? printable(closeReason.toString()) : meanings.get(code)
        terminal.print(`Disconnected (code ${code}${why === undefined ? '' : `, ${why}`})`)
      }
      resolve(interrupted || (opened && cleanCodes.includes(code)) ? 0 : 1)
    })
  })
}

/**
 * Resolves when the server has probably answered. Answers look like any other message, and may follow long after the read.
 * Therefore it waits for a pong, which shows that the server has read everything sent before the ping, and then for
 * answerPause ms without a message; in total for at most answerTimeout ms.
 */
function untilAnswered (socket: WebSocket): Promise<void> {
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

/** Returns the reason of an error. An AggregateError (a host with several addresses, such as localhost) has no message. */
function reason (error: Error): string {
  return error instanceof AggregateError ? error.errors.map(({ message }) => message).join(', ') : error.message
}
