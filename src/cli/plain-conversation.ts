import type { WebSocket } from 'ws'
import { printable } from '../observability/printable.ts'
import { CloseCode } from '../protocol.ts'
import { ABNORMAL, NO_CODE, exitStatus } from './exit-status.ts'
import { noRouteAt, openSocket, type Target } from './handshake.ts'
import { onInterruption } from './interruption.ts'
import { printError, type Output } from './output.ts'
import type { Script } from './script.ts'

// Milliseconds.
const answerPause = 250
const answerTimeout = 5_000

const meanings = new Map([[NO_CODE, 'no close code'], [ABNORMAL, 'no close frame']])

/** Connects, sends each text of the script as a message, closes, and prints each event. Resolves with the exit status. */
export function conversePlain (target: Target, protocols: string[], script: Script, output: Output): Promise<number> {
  const ended = new AbortController()
  let opened = false
  let received = false
  let interrupted = false
  let failure: string | undefined
  const socket = openSocket(target, protocols, (reason) => { failure = reason })

  onInterruption(() => {
    interrupted = true
    ended.abort()
    socket.close(CloseCode.normal)
  })

  socket.on('open', async () => {
    opened = true
    output.status('Connected')
    for await (const text of script(ended.signal)) {
      // Waits for each write: otherwise input from a pipe fills our memory while the server doesn't read.
      await new Promise((resolve) => { socket.send(text, resolve) })
    }
    if (!ended.signal.aborted) await untilAnswered(socket)
    socket.close(CloseCode.normal)
  })
  socket.on('message', (data: Buffer, isBinary) => {
    received = true
    output.message(isBinary ? { bytes: data.toString('base64') } : { text: data.toString() })
  })

  return new Promise((resolve) => {
    socket.on('close', (code, closeReason) => {
      ended.abort()
      // An app with its own @fastify/websocket accepts an upgrade for any of its routes, and closes the socket at once.
      if (code === NO_CODE && !received) failure ??= `closed without a message: ${noRouteAt(target.url)}`
      if (failure !== undefined && !interrupted) printError(`${opened ? 'Error' : 'Connection failed'}: ${printable(failure)}`)
      if (opened) {
        const why = closeReason.length > 0 ? printable(closeReason.toString()) : meanings.get(code)
        output.status(`Disconnected (code ${code}${why === undefined ? '' : `, ${why}`})`)
      }
      if (interrupted) resolve(0)
      else if (!opened) resolve(1)
      else resolve(exitStatus(code) || (failure === undefined ? 0 : 1))
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
