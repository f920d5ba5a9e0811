import { isObject } from '../checks.ts'
import type { Message } from '../connection/message.ts'
import { clientMessages, type ClientMessage } from '../messages.ts'
import { loneSurrogate } from '../protocol.ts'
import { hasMoreCodePoints } from '../request-bounds.ts'
import { messageOf } from '../thrown.ts'
import { validator } from './validator.ts'

interface Concerns { readonly id?: string, readonly room?: string, readonly request?: string }

/** A frame that isn't a valid message. `concerns` identifies the request, if it could be read. */
export class InvalidMessage extends Error {
  readonly concerns: Concerns

  constructor (message: string, concerns: Concerns = {}) {
    super(message)
    this.concerns = concerns
  }
}

const validators = new Map<unknown, ReturnType<typeof validator>>(Object.entries(clientMessages).map(([type, schema]) => [type, validator(schema)]))

/**
 * Parses and validates a frame.
 * @param depth levels of objects and arrays allowed in `data`; deeper nesting can overflow the stack of a recursive walk
 * @throws InvalidMessage with the problem and its path
 */
export function parseMessage (received: Message, depth: number): ClientMessage {
  if (received.isBinary) throw new InvalidMessage('binary frames are not supported')
  const { text } = received
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch (error) {
    // The error quotes a part of the text, which can begin or end with a lone surrogate: `messageOf` replaces it.
    throw new InvalidMessage(`invalid JSON: ${messageOf(error)}`)
  }
  if (!isObject(message)) {
    throw new InvalidMessage('must be a JSON object')
  }
  const problemOf = validators.get(message['type'])
  if (problemOf === undefined) {
    throw new InvalidMessage(`/type must be one of ${[...validators.keys()].join(', ')}`, concerns(message))
  }
  const problem = problemOf(message)
  if (problem !== undefined) throw new InvalidMessage(problem, concerns(message))
  // No other property of the schema is nested, and properties outside the schema are never read.
  if ('data' in message && nestedDeeperThan(depth, message['data'])) {
    throw new InvalidMessage(`/data is nested deeper than ${depth} levels`, concerns(message))
  }
  // `ws` can't reject an escaped lone surrogate. A strict JSON parser would reject every frame that contains it.
  if (!text.includes('\\u')) return message as unknown as ClientMessage
  // JSON.stringify is recursive too.
  if (nestedDeeperThan(depth + 1, message)) throw new InvalidMessage(`nested deeper than ${depth + 1} levels`, concerns(message))
  if (loneSurrogate.test(JSON.stringify(message))) {
    throw new InvalidMessage('text contains a lone surrogate', concerns(message))
  }
  return message as unknown as ClientMessage
}

/** Returns the properties that identify a request in an error, if they are valid. */
export function concerns ({ type, id, room }: Record<string, unknown>): Concerns {
  return {
    ...typeof type === 'string' && validators.has(type) && { request: type },
    ...isQuotable(id) && { id },
    ...isQuotable(room) && { room }
  }
}

/** Returns whether an error may contain the value. A strict JSON parser would reject a lone surrogate. */
function isQuotable (value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !hasMoreCodePoints(value, 64) && value.isWellFormed()
}

function nestedDeeperThan (limit: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return limit === 0 || Object.values(value).some((each) => nestedDeeperThan(limit - 1, each))
}
