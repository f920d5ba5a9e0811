import { httpToken } from '../http-token.ts'
import { UsageError } from './arguments.ts'

const protocols = new Map([['ws:', 'ws:'], ['wss:', 'wss:'], ['http:', 'ws:'], ['https:', 'wss:']])
const units = new Map([['ms', 1], ['', 1000], ['s', 1000], ['m', 60_000], ['h', 3_600_000]])
const longestTimer = 2 ** 31 - 1

/** Headers that the handshake sets. RFC 6455, section 4.1. */
const handshakeHeader = /^(?:connection|upgrade|sec-websocket-.*)$/i

export function parseUrl (text: string): URL {
  const scheme = /^\w+:(?=\/\/)/.exec(text)?.[0].toLowerCase()
  const protocol = protocols.get(scheme ?? '')
  if (protocol === undefined) throw new UsageError(`the URL must start with ws://, wss://, http:// or https://, not '${text}'`)
  if (!URL.canParse(text)) throw new UsageError(`the URL '${text}' is invalid`)
  const url = new URL(text)
  url.protocol = protocol
  // A WebSocket URL has no fragment (RFC 6455, section 3).
  url.hash = ''
  return url
}

/** Returns ms. */
export function parseDuration (option: string, text: string): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? []
  const duration = Number(amount) * (units.get(unit) ?? NaN)
  if (!(duration >= 1 && duration <= longestTimer)) {
    throw new UsageError(`${option} must be a duration from 1ms to 24 days, such as 500ms, 3s or 2m, not '${text}'`)
  }
  return duration
}

export function parsePositive (option: string, text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError(`${option} must be a positive integer, not '${text}'`)
  return Number(text)
}

/** Returns an integer from 0 to `most`. */
export function parseLimit (option: string, text: string, most: number): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN
  if (!(number <= most)) throw new UsageError(`${option} must be an integer from 0 to ${most}, not '${text}'`)
  return number
}

/** Returns headers from texts such as `Cookie: a=b`. Values of a repeated one are joined (RFC 9110, section 5.3). */
export function parseHeaders (texts: readonly string[]): Headers {
  const headers = new Headers()
  for (const text of texts) {
    const [, name = '', value = ''] = /^([^:]*):(.*)$/s.exec(text) ?? []
    if (handshakeHeader.test(name)) throw new UsageError(`--header can't set ${name}, which belongs to the handshake`)
    try {
      headers.append(name, value)
    } catch {
      // The value is not printed: it may be a secret.
      throw new UsageError(`--header must be a header such as 'Cookie: a=b'${name === '' ? '' : `: '${name}' is invalid`}`)
    }
  }
  return headers
}

export function parseOrigin (text: string): string {
  if (!/^[!-~]+$/.test(text)) throw new UsageError(`--origin must be an origin such as https://example.com, not '${text}'`)
  return text
}

export function parseSubprotocols (texts: readonly string[]): string[] {
  for (const text of texts) {
    if (!httpToken.test(text)) throw new UsageError(`--subprotocol must be a name without spaces or commas, not '${text}'`)
  }
  if (new Set(texts).size < texts.length) throw new UsageError('--subprotocol must not be repeated with the same name')
  return [...texts]
}

/** Returns the value of the header Authorization for USER:PASSWORD. RFC 7617. */
export function parseCredentials (text: string): string {
  // The value is not printed: it contains a password.
  if (!/^[^:]*:/.test(text)) throw new UsageError('--auth must be USER:PASSWORD')
  return `Basic ${Buffer.from(text).toString('base64')}`
}
