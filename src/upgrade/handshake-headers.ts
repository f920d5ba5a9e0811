import { TOKEN_CHARACTER } from '../http-token.ts'

const TOKEN = `${TOKEN_CHARACTER}+`
const SPACE = '[ \\t]*'

const name = new RegExp(`^${SPACE}(${TOKEN})${SPACE}$`)
/** A quoted value must be a token too. */
const parameter = new RegExp(`^${SPACE}(${TOKEN})(?:${SPACE}=${SPACE}(?:(${TOKEN})|"((?:\\\\?${TOKEN_CHARACTER})+)"))?${SPACE}$`)

/** An extension that a client offers. Parameters without a value have the value undefined. */
export interface ExtensionOffer {
  readonly name: string
  readonly parameters: ReadonlyArray<readonly [name: string, value: string | undefined]>
}

/**
 * Parses `Sec-WebSocket-Extensions`: RFC 6455, section 9.1.
 * @param header absent or empty for none
 * @returns undefined if the header is malformed
 */
export function parseExtensions (header = ''): ExtensionOffer[] | undefined {
  // Neither a token nor a quoted value contains a comma or a semicolon.
  const offers = header === '' ? [] : header.split(',').map(parseOffer)
  return offers.includes(undefined) ? undefined : offers as ExtensionOffer[]
}

/** Returns whether `Sec-WebSocket-Protocol` is absent, or a list of tokens without repetition: RFC 6455, section 4.1. */
export function isProtocolList (header: string | undefined): boolean {
  if (header === undefined) return true
  const offered = header.split(',').map((text) => name.exec(text)?.[1])
  return !offered.includes(undefined) && new Set(offered).size === offered.length
}

function parseOffer (text: string): ExtensionOffer | undefined {
  const [first = '', ...rest] = text.split(';')
  const found = rest.map((each) => parameter.exec(each))
  const extension = name.exec(first)?.[1]
  if (extension === undefined || found.includes(null)) return undefined
  return { name: extension, parameters: found.map((match) => [match![1]!, match![2] ?? match![3]?.replaceAll('\\', '')]) }
}
