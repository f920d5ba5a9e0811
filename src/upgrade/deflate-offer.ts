import { parseExtensions, type ExtensionOffer } from './handshake-headers.ts'

const NAME = 'permessage-deflate'

const isAbsent = (value: string | undefined) => value === undefined
const isWindow = (value: string | undefined) => value !== undefined && /^(?:[89]|1[0-5])$/.test(value)

/** The parameters that an offer may have, each with the check of its value: RFC 7692, section 7.1. */
const parameters = new Map<string, (value: string | undefined) => boolean>([
  ['server_no_context_takeover', isAbsent],
  ['client_no_context_takeover', isAbsent],
  ['server_max_window_bits', isWindow],
  ['client_max_window_bits', (value) => isAbsent(value) || isWindow(value)]
])

/**
 * Returns the offer of permessage-deflate to accept, in the syntax of the header; undefined for none. Declines offers with unknown,
 * invalid or repeated parameters: RFC 7692, sections 5.1 and 7.
 * @param header `Sec-WebSocket-Extensions` of the request
 */
export function deflateOffer (header: string | undefined): string | undefined {
  const offer = parseExtensions(header)?.find(isAcceptable)
  return offer && [NAME, ...offer.parameters.map(([name, value]) => value === undefined ? name : `${name}=${value}`)].join('; ')
}

function isAcceptable ({ name, parameters: given }: ExtensionOffer): boolean {
  if (name !== NAME || new Set(given.map(([parameter]) => parameter)).size < given.length) return false
  return given.every(([parameter, value]) => parameters.get(parameter)?.(value) === true)
}
