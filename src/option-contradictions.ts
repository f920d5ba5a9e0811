import { InvalidOption } from './errors.ts'
import { framedBytes, keptBytes, receivedBytes } from './message-size.ts'
import type { FastifyChatOptions, Limits, Settings } from './options.ts'

/** What one limit must at least be for another, or for a message, to fit. */
interface Need {
  readonly limit: keyof Limits
  readonly least: number
  /** The limit that it follows from. */
  readonly from: keyof Limits
  /** What needs so much; the value of the other limit itself where it is left out. */
  readonly what?: string
}

/** Limits that do nothing where another is below them: refused where they were given, for they were meant to. */
const parts: ReadonlyArray<readonly [part: keyof Limits, whole: keyof Limits]> = [
  ['roomsPerMember', 'rooms'],
  ['roomsPerAddress', 'rooms'],
  ['connectionsPerAddress', 'connections'],
  ['handshakes', 'connections']
]

/**
 * Refuses limits that contradict each other. `Infinity` switches a limit off: it contradicts a bound only where a message
 * must fit into it.
 * @throws InvalidOption naming the limit that is too low, with both values
 */
export function checkContradictions ({ limits, chat, echo }: Settings, given: FastifyChatOptions): void {
  const needs = [
    ...chat === false ? [] : chatNeeds(limits, given.store === undefined),
    ...echo === false
      ? []
      : [
          { limit: 'replyBudget', least: limits.echoPayload, from: 'echoPayload', what: 'the answer to one message' },
          { limit: 'receiveBudget', least: receivedBytes(limits.echoPayload), from: 'echoPayload', what: 'one message' }
        ] as const
  ]
  for (const { limit, least, from, what } of needs) {
    if (limits[limit] >= least) continue
    const needed = what === undefined ? '' : `: ${what} can take ${least} bytes`
    throw new InvalidOption(`limits.${limit}`,
      `is ${limits[limit]}, too little for limits.${from}, which is ${limits[from]}${needed}: raise the one or lower the other`)
  }
  for (const [part, whole] of parts) {
    if (given.limits?.[part] === undefined || limits[part] === Infinity || limits[part] <= limits[whole]) continue
    throw new InvalidOption(`limits.${part}`, `is ${limits[part]}, which is never reached: limits.${whole} is ${limits[whole]}`)
  }
}

function chatNeeds (limits: Limits, inMemory: boolean): Need[] {
  const { chatPayload: payload, byteRate, backlog, historyBytes } = limits
  const framed = { least: framedBytes(payload), from: 'chatPayload', what: 'the frame of one message' } as const
  const kept = { least: keptBytes(payload), from: 'chatPayload', what: 'one message' } as const
  const needs: Need[] = [
    { limit: 'backlog', ...framed },
    { limit: 'replyBudget', ...framed },
    { limit: 'receiveBudget', least: receivedBytes(payload), from: 'chatPayload', what: 'one message' },
    { limit: 'replyBudget', least: finite(backlog), from: 'backlog' },
    { limit: 'byteBurst', least: byteRate === Infinity ? 0 : payload, from: 'chatPayload', what: 'one message' }
  ]
  return inMemory
    ? [...needs, { limit: 'historyBytes', ...kept }, { limit: 'storeBytes', ...kept }, { limit: 'storeBytes', least: finite(historyBytes), from: 'historyBytes' }]
    : needs
}

/** A limit that is switched off asks nothing of the others. */
function finite (limit: number): number {
  return limit === Infinity ? 0 : limit
}
