import { createHash } from 'node:crypto'

/** RFC 6455, section 1.3. */
export function acceptKey (key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
}

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const ACCEPT = acceptKey(KEY)

export interface Offer { readonly port: number, readonly path: string, readonly protocol?: string | undefined, readonly deflate: boolean }

export function upgradeRequest ({ port, path, protocol, deflate }: Offer): string {
  return [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${KEY}`,
    'Sec-WebSocket-Version: 13',
    ...protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`],
    // The offer of browsers.
    ...deflate ? ['Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits'] : [],
    '\r\n'
  ].join('\r\n')
}

/** @throws unless the head accepts the offered upgrade */
export function assertUpgraded (head: string, { protocol, deflate }: Offer): void {
  const has = (line: string) => head.toLowerCase().includes(line.toLowerCase())
  const upgraded = head.startsWith('HTTP/1.1 101 ') && has(`sec-websocket-accept: ${ACCEPT}`)
  const agreed = protocol === undefined || has(`sec-websocket-protocol: ${protocol}`)
  if (!upgraded || !agreed || has('sec-websocket-extensions: permessage-deflate') !== deflate) {
    throw new Error(`the upgrade was answered with ${head.slice(0, 300)}`)
  }
}
