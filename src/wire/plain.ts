import type { Connection } from '../connection.ts'
import { BINARY, TEXT, frame } from '../frame.ts'
import type { Member } from '../member.ts'
import type { Format } from '../seat.ts'
import { CloseCode, ErrorCode, type ErrorCodeName } from '../protocol.ts'
import type { Entry } from '../store/store.ts'
import { errorFor } from './error-answer.ts'

const NOTHING = Buffer.alloc(0)

/** `ada: hello` from someone with a name, `hello` from someone without; binary as it came. */
function entryFrame ({ from, body }: Entry): Buffer {
  if (typeof body !== 'string') return frame(BINARY, body)
  return frame(TEXT, from === null || from.name === '' ? body : `${from.name}: ${body}`)
}

export const plainFormat: Format = {
  entry: (_room, entry) => entryFrame(entry),
  notice: () => NOTHING,
  // There is no word for a view that no longer holds: a plain client is just given what it asked for.
  joined: (_room, { entries, complete }) => complete ? Buffer.concat(entries.map(entryFrame)) : NOTHING
}

/** Of one post; the connection goes on. */
const refusals: ReadonlySet<ErrorCodeName> = new Set([ErrorCode.forbidden, ErrorCode.refused, ErrorCode.muted])

const deflatedFormat: Format = { ...plainFormat, deflates: plainFormat }

export interface PlainOptions {
  readonly room: string
  /** Whether it takes deflated frames. */
  readonly deflate: boolean
  /** Whether it is sent its own messages too. */
  readonly hearsItself: boolean
  /** How many messages it is given first, and how many bytes of them. */
  readonly history: { readonly limit: number, readonly maxBytes: number }
}

/**
 * The wire without a subprotocol: one room, each message a post.
 * @param entering gives the member once it is known; what comes meanwhile is kept
 */
export function speakPlain (
  connection: Connection,
  entering: Promise<Member | undefined>,
  { room, deflate, hearsItself, history }: PlainOptions
): void {
  let member: Member | undefined

  connection.receive((message) => {
    const { data, isBinary } = message
    connection.logReceived(message, room)
    // Copied into memory of its own: a store may keep it, and ws hands over a slice of all that was read at once.
    const { submitted, stored } = member!.post({ room, body: isBinary ? new Uint8Array(data) : data.toString() })
    stored.catch(failed)
    return submitted
  })
  connection.hold((async () => {
    member = await entering
    await member?.join(room, { format: deflate ? deflatedFormat : plainFormat, hearsItself, ...history })
  })().catch(failed))

  /** A plain client can't be told what failed: one that is refused a post goes on, one that can't be served is closed. */
  function failed (error: unknown): void {
    const answer = errorFor(error)
    if (answer === undefined) {
      connection.fail(error)
    } else if (answer.code === ErrorCode.forbidden && member?.seat(room) === undefined) {
      connection.close(CloseCode.forbidden, answer.message)
    } else if (refusals.has(answer.code)) {
      connection.log.info({ room, reason: answer.message }, 'a post was refused')
    } else {
      connection.log.warn({ err: error, room }, 'the store failed')
      connection.close(CloseCode.tryAgainLater, 'try again later')
    }
  }
}
