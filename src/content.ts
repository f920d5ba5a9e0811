import type { PropertyError } from './argument-checks.ts'
import { PostTooLarge } from './errors.ts'
import type { Member } from './store.ts'

/** Lone surrogates in what JSON.stringify made: it escapes no other surrogate. */
const halves = /(?<=(?:^|[^\\])(?:\\\\)*)\\ud[89a-f][\da-f]{2}/g

/** What a message carries, as it is stored. data: JSON text. */
export interface Content { readonly body: string | Uint8Array, readonly data: string | undefined }

/** Returns the content of a client's message, which the wire has checked. */
export function clientContent (body: string | Uint8Array, data: unknown): Content {
  return { body, data: data === undefined ? undefined : JSON.stringify(data) }
}

/** Returns an FNV-1a hash that distinguishes a repeated post from another one under the same id. It protects from nothing. */
export function contentHash ({ body, data }: Content): string {
  const content = data === undefined ? body : `${JSON.stringify(body)},${data}`
  let hash = 0x811c9dc5 ^ content.length
  for (let i = 0; i < content.length; i++) {
    hash = Math.imul(hash ^ (typeof content === 'string' ? content.charCodeAt(i) : content[i]!), 0x01000193)
  }
  return String(hash)
}

/**
 * Returns the content of a message that the app made. Bytes are copied, for they may be a slice
 * of a large buffer. Lone surrogates become U+FFFD: strict parsers of JSON refuse them.
 * @param fault makes the error that is thrown for what can't be stored
 */
export function appContent (body: unknown, data: unknown, fault: PropertyError): Content {
  return { body: bodyOf(body, fault), data: data === undefined ? undefined : jsonOf(data, fault) }
}

/** Returns the bytes that a message of the app's may have: no less than a client's, and no more than leaves room for others in a backlog. */
export function contentLimit ({ chatPayload, backlog }: { readonly chatPayload: number, readonly backlog: number }): number {
  return Math.max(chatPayload, Math.floor(backlog / 4))
}

/**
 * Checks the size of a message of the app's as members are sent it.
 * @param limit bytes
 * @throws PostTooLarge
 */
export function assertSize ({ body, data = '' }: Content, from: Member | null, limit: number): void {
  const text = typeof body === 'string' ? jsonBytes(body, limit) : Math.ceil(body.byteLength / 3) * 4
  const who = from === null ? 0 : jsonBytes(from.id, limit) + jsonBytes(from.name, limit)
  const bytes = text + who + Buffer.byteLength(data)
  if (bytes > limit) throw new PostTooLarge(bytes, limit)
}

/** Of a text that is longer than the limit already it need not be known exactly. */
function jsonBytes (text: string, limit: number): number {
  return text.length > limit ? Buffer.byteLength(text) : Buffer.byteLength(JSON.stringify(text)) - 2
}

function bodyOf (body: unknown, fault: PropertyError): string | Uint8Array {
  if (typeof body === 'string') return body.toWellFormed()
  if (body instanceof Uint8Array) return new Uint8Array(body)
  throw fault('body', 'must be a string or a Uint8Array')
}

function jsonOf (data: unknown, fault: PropertyError): string {
  let json: string | undefined
  try {
    json = JSON.stringify(data) as string | undefined
  } catch { /* circular, or a BigInt in it */ }
  if (json === undefined) throw fault('data', 'must be convertible to JSON')
  return json.includes('\\ud') ? json.replace(halves, '\ufffd') : json
}
