import { ChatClient, ChatError, type ClientRoom, type ClientSocket, type Status } from '../client/node.ts'
import { printable } from '../observability/printable.ts'
import { CloseCode } from '../protocol.ts'
import { exitStatus } from './exit-status.ts'
import { openSocket, type Target } from './handshake.ts'
import { onInterruption } from './interruption.ts'
import { printError, type Output } from './output.ts'
import { printRoom } from './print-room.ts'
import type { Script } from './script.ts'

/** How to take part in a chat. */
export interface Participation {
  readonly room: string
  readonly name: string | undefined
  readonly token: string | undefined
  /** messages to print on joining */
  readonly history: number
}

/** Maximum number of posts that wait for acknowledgement. No input is read while this many wait. */
const MAX_PENDING = 100

/**
 * Joins the room as a v1 client, posts each text of the script, closes when all posts are acknowledged, and prints each
 * event. Reconnects when an open connection is lost. Resolves with the exit status.
 */
export function converseV1 (target: Target, { room: roomName, name, token, history }: Participation, script: Script, output: Output): Promise<number> {
  const ended = new AbortController()
  let opened = false
  let interrupted = false
  let failed = false
  let handshakeError: string | undefined
  const client = new ChatClient(target.url.href, {
    name,
    token,
    connect: (_url, protocol) => openSocket(target, [protocol], (reason) => { handshakeError = reason }) as unknown as ClientSocket
  })

  function fail (line: string) {
    failed = true
    printError(printable(line))
  }

  async function converse () {
    const room = await client.join(roomName, { history })
    printRoom(room, output)
    room.on('left', ({ code, message }) => {
      if (code === 'closed') return
      fail(`Error: removed from the room: ${message}${code === 'removed' ? '' : ` (${code})`}`)
      client.close()
    })
    await postAll(room, script(ended.signal), fail)
  }

  onInterruption(() => {
    interrupted = true
    client.close()
  })
  client.on('error', ({ code, message }) => {
    // The status reports why a handshake failed.
    if (code !== 'handshake') fail(`Error: ${message}`)
  })
  converse().catch((error: unknown) => {
    // The status reports the end of the connection.
    if (!(error instanceof ChatError && error.code === 'closed')) fail(`Error: ${error instanceof Error ? error.message : String(error)}`)
  }).finally(() => client.close())

  return new Promise((resolve) => {
    let over = false

    function end (status: number) {
      over = true
      ended.abort()
      resolve(interrupted ? 0 : status)
    }

    function onFirstFailure ({ code, reason }: Extract<Status, { code: number }>) {
      if (!interrupted && !failed) printError(`Connection failed: ${printable(handshakeError ?? describe(code, reason))}`)
      end(handshakeError === undefined ? exitStatus(code) || 1 : 1)
      client.close()
    }

    client.on('status', (status) => {
      if (over || status.state === 'connecting') return
      if (status.state === 'online') {
        output.status(opened ? 'Connected again' : 'Connected')
        opened = true
      } else if (!opened) onFirstFailure(status)
      else if (status.state === 'waiting') output.status(`Connection lost (${printable(describe(status.code, status.reason))}): reconnecting`)
      else {
        output.status(`Disconnected (${printable(describe(status.code, status.code === CloseCode.normal ? '' : status.reason))})`)
        end(exitStatus(status.code) || (failed ? 1 : 0))
      }
    })
  })
}

/** Resolves when all posts are acknowledged or refused. */
async function postAll (room: ClientRoom, texts: AsyncIterable<string>, onRefused: (line: string) => void): Promise<void> {
  const pending = new Set<Promise<void>>()
  for await (const text of texts) {
    const post = room.post(text).then(() => {}, (error: ChatError) => {
      if (error.code !== 'closed') onRefused(`Error: message refused: ${error.message} (${error.code})`)
    }).finally(() => pending.delete(post))
    pending.add(post)
    if (pending.size === MAX_PENDING) await Promise.race(pending)
  }
  await Promise.all(pending)
}

function describe (code: number, reason: string): string {
  return `code ${code}${reason === '' ? '' : `, ${reason}`}`
}
