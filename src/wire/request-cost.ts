import type { ClientMessage } from '../messages.ts'
import { PAGE_COST } from '../protocol.ts'
import { InvalidMessage, concerns } from './v1-decode.ts'

/**
 * Returns the number of requests that a message counts as.
 * @param joins earlier joins of the connection
 * @param rooms maximum rooms of a connection, which a client joins again after a reconnect
 */
export function requestsOf ({ type }: ClientMessage, joins: number, rooms: number): number {
  return type === 'history' || type === 'delete' || (type === 'join' && joins >= rooms) ? PAGE_COST : 1
}

/**
 * Returns the bytes that a message counts as. Content with `data` is kept, or sent on, as `JSON.stringify` writes it, which may be longer than
 * what was received: `1e20` becomes 21 digits. A text alone never grows.
 * @param received bytes of the message
 * @param limit maximum bytes of the content
 * @throws InvalidMessage
 */
export function bytesOf (message: ClientMessage, received: number, limit: number): number {
  if ((message.type !== 'post' && message.type !== 'edit' && message.type !== 'signal') || message.data === undefined) return received
  const { data } = message
  const content = message.type === 'signal' ? { data } : { text: message.text, data }
  const bytes = Buffer.byteLength(JSON.stringify(content))
  if (bytes > limit) {
    throw new InvalidMessage(`${Object.keys(content).join(' and ')} ${message.type === 'signal' ? 'has' : 'have'} ${bytes} bytes as JSON.stringify writes them: the limit is ${limit}`, concerns(message))
  }
  return Math.max(received, bytes)
}
