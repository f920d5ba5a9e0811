import type { ClientMessage } from '../messages.ts'
import { PAGE_COST } from '../protocol.ts'
import { InvalidMessage, concerns } from './v1-decode.ts'

/** Bytes of JSON around the data of a signal, and around the text and the data of a post or an edit. */
const [DATA, CONTENT] = ['{"data":}'.length, '{"text":,"data":}'.length]

/**
 * Returns the number of requests that a message counts as.
 * @param joins earlier joins of the connection
 * @param rooms maximum rooms of a connection, which a client joins again after a reconnect
 */
export function requestsOf ({ type }: ClientMessage, joins: number, rooms: number): number {
  return type === 'history' || type === 'rooms' || type === 'delete' || (type === 'join' && joins >= rooms) ? PAGE_COST : 1
}

/** Returns the data of a message as JSON text, as it is kept or sent on; undefined for none. */
export function dataOf (message: ClientMessage): string | undefined {
  if (message.type !== 'post' && message.type !== 'edit' && message.type !== 'signal') return undefined
  return message.data === undefined ? undefined : JSON.stringify(message.data)
}

/**
 * Returns the bytes that a message counts as. Its data may be longer than what was received: `1e20` becomes 21 digits. A text alone never
 * grows.
 * @param data as `dataOf` returned it @param received bytes of the message @param limit maximum bytes of the content
 * @throws InvalidMessage
 */
export function bytesOf (message: ClientMessage, data: string | undefined, received: number, limit: number): number {
  if (data === undefined) return received
  const text = message.type === 'post' || message.type === 'edit' ? message.text : undefined
  const bytes = Buffer.byteLength(data) + (text === undefined ? DATA : CONTENT + Buffer.byteLength(JSON.stringify(text)))
  if (bytes > limit) {
    const what = text === undefined ? 'data has' : 'text and data have'
    throw new InvalidMessage(`${what} ${bytes} bytes as JSON.stringify writes them: the limit is ${limit}`, concerns(message))
  }
  return Math.max(received, bytes)
}
