import { InvalidOption } from './errors.ts'
import { framedBytes, receivedBytes } from './message-size.ts'
import type { FastifyChatOptions, Limits, Settings } from './options.ts'

/** The least value of a limit that another limit, or a message, requires. */
interface Need {
  readonly limit: keyof Limits
  readonly least: number
  /** the limit that requires it */
  readonly from: keyof Limits
  /** the item that takes `least` bytes, for the error; absent if `least` is the value of `from` itself */
  readonly item?: string
}

/** Limits that have no effect above another one. They are rejected only if they were given. */
const parts: ReadonlyArray<readonly [part: keyof Limits, whole: keyof Limits]> = [
  ['roomsPerMember', 'rooms'],
  ['roomsPerAddress', 'rooms'],
  ['connectionsPerAddress', 'connections']
]

/**
 * Rejects limits that contradict each other. `Infinity` switches a limit off: it contradicts another limit only if a message
 * must fit into that one.
 * @throws InvalidOption naming the limit that is too low, with both values
 */
export function checkContradictions ({ limits, chat, echo }: Settings, given: FastifyChatOptions): void {
  const needs = [
    ...chat === false ? [] : chatNeeds(limits),
    ...echo === false
      ? []
      : [
          { limit: 'totalPendingBytes', least: limits.echoPayload, from: 'echoPayload', item: 'the reply to one message' },
          { limit: 'receiveBudget', least: receivedBytes(limits.echoPayload), from: 'echoPayload', item: 'one message' }
        ] as const
  ]
  for (const { limit, least, from, item } of needs) {
    if (limits[limit] >= least) continue
    const needed = item === undefined ? '' : `, so ${item} can take ${least} bytes`
    throw new InvalidOption(`limits.${limit}`,
      `is ${limits[limit]}, too low: limits.${from} is ${limits[from]}${needed}. Raise limits.${limit} or lower limits.${from}`)
  }
  for (const [part, whole] of parts) {
    if (given.limits?.[part] === undefined || limits[part] === Infinity || limits[part] <= limits[whole]) continue
    throw new InvalidOption(`limits.${part}`, `is ${limits[part]} and never reached: limits.${whole} is ${limits[whole]}. Lower limits.${part} or raise limits.${whole}`)
  }
}

/** Rejects messages that the backend can't keep. @param maxPayload see `OpenBackend` @throws InvalidOption */
export function checkPayload ({ limits, chat }: Settings, maxPayload = Infinity): void {
  if (chat === false || limits.chatPayload <= maxPayload) return
  throw new InvalidOption('limits.chatPayload',
    `is ${limits.chatPayload}, but the backend keeps messages of up to ${maxPayload} bytes: lower it, or raise historyBytes and storeBytes of the backend`)
}

function chatNeeds (limits: Limits): Need[] {
  const { chatPayload: payload, byteRate, pendingBytes } = limits
  const framed = { least: framedBytes(payload), from: 'chatPayload', item: 'the frame of one message' } as const
  return [
    { limit: 'pendingBytes', ...framed },
    { limit: 'totalPendingBytes', ...framed },
    { limit: 'receiveBudget', least: receivedBytes(payload), from: 'chatPayload', item: 'one message' },
    { limit: 'totalPendingBytes', least: finite(pendingBytes), from: 'pendingBytes' },
    { limit: 'byteBurst', least: byteRate === Infinity ? 0 : payload, from: 'chatPayload', item: 'one message' }
  ]
}

/** Returns a limit, or 0 if it is switched off: it then requires nothing of other limits. */
function finite (limit: number): number {
  return limit === Infinity ? 0 : limit
}
