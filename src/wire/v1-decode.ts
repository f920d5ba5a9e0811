import { Compile, type Validator } from 'typebox/compile'
import { copyString } from '../copy-string.ts'
import type { Message } from '../connection/receive-queue.ts'
import { clientMessages, type ClientMessage } from '../messages.ts'
import { halfPair } from '../protocol.ts'

interface Concerns { readonly id?: string, readonly room?: string, readonly request?: string }

/** A frame that is no message; `concerns` names the request where it could be read. */
export class InvalidMessage extends Error {
  readonly concerns: Concerns

  constructor (message: string, concerns: Concerns = {}) {
    super(message)
    this.concerns = concerns
  }
}

/**
 * A post as nearly all of them come: as JSON.stringify writes one that has nothing to escape. Found by this it needs no
 * parsing and no checking, which take three times as long; all else goes the long way.
 */
const bare = /^\{"type":"post","room":"([A-Za-z0-9._:-]{1,64})","id":"([ !#-[\]-\uffff]{1,64})","text":"([ !#-[\]-\uffff]*)"\}$/

/** Surrogates that stand alone. */
const halves = /\p{Cs}/gu

const validators: ReadonlyMap<unknown, Validator> = new Map(Object.entries(clientMessages).map(([type, schema]) => [type, Compile(schema)]))

/**
 * @param depth levels of objects and arrays in `data`: what is nested deep enough overflows the stack of whoever walks it
 * @throws InvalidMessage saying what is wrong and where
 */
export function parseMessage ({ data, isBinary }: Message, depth: number): ClientMessage {
  if (isBinary) throw new InvalidMessage('binary frames are not part of this protocol')
  const text = data.toString()
  const post = bare.exec(text)
  // The id outlives its message: a slice would keep the whole of it.
  if (post !== null) return { type: 'post', room: post[1]!, id: copyString(post[2]!), text: post[3]! }
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch (error) {
    // It quotes a piece of the text, cut anywhere.
    throw new InvalidMessage(`not JSON: ${(error as Error).message.replace(halves, '\ufffd')}`)
  }
  if (!isObject(message)) {
    throw new InvalidMessage('not a JSON object')
  }
  const validator = validators.get(message['type'])
  if (validator === undefined) {
    throw new InvalidMessage(`/type must be one of ${[...validators.keys()].join(', ')}`, concerns(message))
  }
  if (!validator.Check(message)) {
    const [error] = validator.Errors(message)
    throw new InvalidMessage(`${error?.instancePath ?? ''} ${error?.message ?? 'not valid'}`.trim(), concerns(message))
  }
  // The only property that is nested at all: what is not of the schema is never looked at.
  if ('data' in message && nestedDeeperThan(depth, message['data'])) {
    throw new InvalidMessage(`/data is nested deeper than ${depth} levels`, concerns(message))
  }
  // Escaped, so that ws could not refuse it: sent on, a strict JSON parser would refuse all that came with it.
  if (text.includes('\\u') && halfPair.test(JSON.stringify(message))) {
    throw new InvalidMessage('half a surrogate pair is no text', concerns(message))
  }
  return message as unknown as ClientMessage
}

/** Which request an error answers, as far as that can be read. */
export function concerns ({ type, id, room }: Record<string, unknown>): Concerns {
  return {
    ...typeof type === 'string' && validators.has(type) && { request: type },
    ...sayable(id) && { id },
    ...sayable(room) && { room }
  }
}

function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether it can be said back: a strict JSON parser would refuse half a pair. */
function sayable (value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= 128 && [...value].length <= 64 && value.search(halves) === -1
}

function nestedDeeperThan (limit: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return limit === 0 || Object.values(value).some((each) => nestedDeeperThan(limit - 1, each))
}
