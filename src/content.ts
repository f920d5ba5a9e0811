import type { PropertyError } from './argument-checks.ts'
import type { MessageContent } from './chat-entry.ts'
import { PostTooLarge } from './errors.ts'
import type { Member } from './store.ts'

/** Lone surrogates in the output of JSON.stringify, which escapes no other surrogates. */
const loneSurrogates = /(?<=(?:^|[^\\])(?:\\\\)*)\\ud[89a-f][\da-f]{2}/g

/** The stored content of a message. data: JSON text. */
export interface Content { readonly body: string | Uint8Array, readonly data: string | undefined }

/** Returns an FNV-1a hash, to distinguish a repeated post from another post with the same id. Not cryptographic. */
export function contentHash (body: Content['body'], data: Content['data']): string {
  const content = data === undefined ? body : `${JSON.stringify(body)},${data}`
  let hash = 0x811c9dc5 ^ content.length
  for (let i = 0; i < content.length; i++) {
    hash = Math.imul(hash ^ (typeof content === 'string' ? content.charCodeAt(i) : content[i]!), 0x01000193)
  }
  return String(hash)
}

/**
 * Returns the content of a message from the app. Bytes are copied, since they may be a slice of a large buffer. Lone
 * surrogates become U+FFFD, since strict JSON parsers reject them.
 * @param fault makes the error that is thrown for an invalid property
 */
export function appContent ({ text, bytes, data }: { readonly [K in keyof MessageContent]?: unknown }, fault: PropertyError): Content {
  return { body: bodyOf(text, bytes, fault), data: data === undefined ? undefined : jsonOf(data, fault) }
}

/** Returns the maximum bytes of a message from the app: a quarter of `pendingBytes`, but at least `chatPayload`. */
export function contentLimit ({ chatPayload, pendingBytes }: { readonly chatPayload: number, readonly pendingBytes: number }): number {
  return Math.max(chatPayload, Math.floor(pendingBytes / 4))
}

/**
 * Checks the encoded size of a message from the app.
 * @param limit bytes
 * @throws PostTooLarge
 */
export function assertSize (content: Content, from: Member | null, limit: number): void {
  const bytes = encodedBytes(content, from, limit)
  if (bytes > limit) throw new PostTooLarge(bytes, limit)
}

/** Returns the encoded size of a message from the app. Over the limit, returns a lower bound that also exceeds the limit. */
export function encodedBytes ({ body, data = '' }: Content, from: Member | null, limit: number): number {
  const text = typeof body === 'string' ? jsonBytes(body, limit) : Math.ceil(body.byteLength / 3) * 4
  const sender = from === null ? 0 : jsonBytes(from.id, limit) + jsonBytes(from.name, limit)
  return text + sender + Buffer.byteLength(data)
}

/** Returns the encoded size. For a text over the limit, returns a lower bound that also exceeds the limit. */
function jsonBytes (text: string, limit: number): number {
  return text.length > limit ? Buffer.byteLength(text) : Buffer.byteLength(JSON.stringify(text)) - 2
}

function bodyOf (text: unknown, bytes: unknown, fault: PropertyError): string | Uint8Array {
  if (bytes === undefined) {
    if (typeof text === 'string') return text.toWellFormed()
    throw fault('text', 'must be a string')
  }
  if (text !== undefined) throw fault('text', "must be absent if there are 'bytes'")
  if (bytes instanceof Uint8Array) return new Uint8Array(bytes)
  throw fault('bytes', 'must be a Uint8Array')
}

/** Returns the JSON text of data from the app, without lone surrogates. @param fault makes the error for data that isn't serializable */
export function jsonOf (data: unknown, fault: PropertyError): string {
  let json: string | undefined
  try {
    json = JSON.stringify(data) as string | undefined
  } catch { /* circular, or contains a BigInt */ }
  if (json === undefined) throw fault('data', 'must be serializable as JSON')
  return json.includes('\\ud') ? json.replace(loneSurrogates, '\ufffd') : json
}
