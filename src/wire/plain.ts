import type { Connection } from '../connection.ts'
import { BINARY, TEXT, frame } from '../frame.ts'
import type { Message } from '../inbox.ts'
import type { Member } from '../member.ts'
import type { Format } from '../outbox.ts'
import type { History } from '../room.ts'
import { CloseCode } from '../protocol.ts'

/** `ada: hello` from someone with a name, `hello` from someone without; binary as it came. */
const format: Format = ({ from, body }) => {
  if (typeof body !== 'string') return frame(BINARY, body)
  return frame(TEXT, from === null || from.name === '' ? body : `${from.name}: ${body}`)
}

export interface PlainOptions {
  readonly room: string
  /** Whether it is sent its own messages too. */
  readonly hearsItself: boolean
  readonly history: History
}

/** The wire without a subprotocol: one room, each message a post. */
export function speakPlain (connection: Connection, member: Member, { room, hearsItself, history }: PlainOptions): void {
  // A plain client can't be told what failed, so it is told to come back.
  const unavailable = (error: unknown) => {
    connection.log.warn({ err: error, room }, 'the store failed')
    connection.close(CloseCode.tryAgainLater, 'try again later')
  }

  connection.receive(({ data, isBinary }: Message) => {
    if (!isBinary) connection.log.debug({ room, text: data.toString() }, 'received')
    else connection.log.debug({ room, bytes: data.length }, 'received')
    // Copied into memory of its own: a store may keep it, and ws hands over a slice of all that was read at once.
    member.post(room, isBinary ? new Uint8Array(data) : data.toString()).catch(unavailable)
  })
  connection.hold(member.join(room, format, { hearsItself, ...history }).catch(unavailable))
}
