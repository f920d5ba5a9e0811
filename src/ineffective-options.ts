import { InvalidOption } from './errors.ts'
import type { FastifyChatOptions, Limits } from './options.ts'
import type { Settings } from './settings.ts'

/** Limits of a part, and the limit of the whole above which they are never reached. */
const parts: ReadonlyArray<readonly [part: keyof Limits, whole: keyof Limits]> = [
  ['roomsPerMember', 'rooms'],
  ['roomsPerAddress', 'rooms'],
  ['connectionsPerAddress', 'connections']
]

/** Limits of a burst, and the rate without which they have no effect. */
const bursts: ReadonlyArray<readonly [burst: keyof Limits, rate: keyof Limits]> = [
  ['messageBurst', 'messageRate'],
  ['byteBurst', 'byteRate'],
  ['handshakeBurst', 'handshakeRate']
]

/** Options of the chat route. Those that also apply to `app.chat` aren't among them. */
const chatOptions = ['authenticate', 'authorize', 'prePost', 'onJoin', 'onLeave', 'dataSchema', 'compression', 'flushInterval'] as const
const chatLimits = ['messageRate', 'messageBurst', 'byteRate', 'byteBurst', 'jsonDepth', 'roomsPerMember', 'roomsPerAddress'] as const

/** Options of both WebSocket routes. */
const routeOptions = ['routeOptions', 'origins', 'subprotocols', 'heartbeatInterval'] as const
const routeLimits = [
  'totalPendingBytes', 'receiveBudget', 'connections', 'connectionsPerAddress', 'handshakeRate', 'handshakeBurst', 'handshakeTimeout'
] as const

/**
 * Rejects options that were given and have no effect, because the route or the limit that they belong to is off, or because
 * another limit is reached first. A value that switches something off is accepted.
 * @throws InvalidOption
 */
export function checkEffect ({ limits, chat, echo }: Settings, given: FastifyChatOptions): void {
  const reject = (name: string, reason: string) => {
    throw new InvalidOption(name, `has no effect: ${reason}. Remove it`)
  }
  const isGiven = (value: unknown) => value !== undefined && value !== false && value !== 0 && value !== Infinity
  for (const [part, whole] of parts) {
    if (!isGiven(given.limits?.[part]) || limits[part] <= limits[whole]) continue
    throw new InvalidOption(`limits.${part}`, `is ${limits[part]} and never reached: limits.${whole} is ${limits[whole]}. Lower limits.${part} or raise limits.${whole}`)
  }
  for (const [burst, rate] of bursts) {
    if (isGiven(given.limits?.[burst]) && limits[rate] === Infinity) reject(`limits.${burst}`, `limits.${rate} is Infinity`)
  }
  if (echo === false && isGiven(given.limits?.echoPayload)) reject('limits.echoPayload', 'echo is false')
  if (chat !== false) return
  for (const name of chatOptions) if (isGiven(given[name])) reject(name, 'chat is false')
  for (const name of chatLimits) if (isGiven(given.limits?.[name])) reject(`limits.${name}`, 'chat is false')
  if (echo !== false) return
  for (const name of routeOptions) if (isGiven(given[name])) reject(name, 'chat and echo are false')
  for (const name of routeLimits) if (isGiven(given.limits?.[name])) reject(`limits.${name}`, 'chat and echo are false')
}
