import { isObject } from '../../../checks.ts'
import type { Signal } from '../../../roster.ts'
import type { Member } from '../../../store.ts'
import type { RedisClient } from '../client/client.ts'
import { presenceChannel, signalChannel } from './keys.ts'

/** Publishes a signal. Nodes of earlier versions receive a member that types, in their format, and no other signal. */
export function publishSignal (client: RedisClient, room: string, signal: Signal): void {
  if ('data' in signal) {
    const { from, data } = signal
    client.publish(signalChannel(client, room), JSON.stringify({ from: from && sender(from), data }))
  } else if (signal.on) {
    client.publish(presenceChannel(client, room), JSON.stringify(sender(signal.typing)))
  } else {
    client.publish(signalChannel(client, room), JSON.stringify({ typing: sender(signal.typing), on: false }))
  }
}

/** Returns the signal of a message; undefined for one of a later version. @throws SyntaxError for a foreign message */
export function decodeSignal (message: Buffer): Signal | undefined {
  const signal: unknown = JSON.parse(message.toString())
  if (!isObject(signal)) return undefined
  const { typing, on, from, data } = signal
  if (isMember(typing) && typeof on === 'boolean') return { typing, on }
  if ((from === null || isMember(from)) && typeof data === 'string') return { from, data }
  return undefined
}

/** Returns the properties of a member that signals have. */
function sender ({ id, name }: Member): Member { return { id, name } }

function isMember (value: unknown): value is Record<string, unknown> & Member {
  return isObject(value) && typeof value['id'] === 'string' && typeof value['name'] === 'string'
}
