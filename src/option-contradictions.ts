import { InvalidOption } from './errors.ts'
import { framedBytes, receivedBytes } from './message-size.ts'
import type { Limits } from './options.ts'
import type { Settings } from './settings.ts'

/** The least value of a limit that another limit, or a message, requires. */
interface Need {
  readonly limit: keyof Limits
  readonly least: number
  /** the limit that requires it */
  readonly from: keyof Limits
  /** the item that takes `least` bytes, for the error; absent if `least` is the value of `from` itself */
  readonly item?: string
}

/**
 * Rejects limits that contradict each other, and a `drainTimeout` that Fastify's `pluginTimeout` would cut short. `Infinity`
 * switches a limit off: it contradicts another limit only if a message must fit into that one.
 * @param pluginTimeout ms; 0 for none
 * @throws InvalidOption naming the option that is too low or too high, with both values
 */
export function checkContradictions ({ limits, chat, echo, drainTimeout }: Settings, pluginTimeout: number): void {
  if (pluginTimeout > 0 && drainTimeout >= pluginTimeout) {
    throw new InvalidOption('drainTimeout', `must be less than Fastify's pluginTimeout of ${pluginTimeout} ms, otherwise app.close() fails`)
  }
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
