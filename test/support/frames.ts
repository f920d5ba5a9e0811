export interface Frame { readonly opcode: number, readonly payload: Buffer }

/** Returns the server's complete frames after the head of its answer. RFC 6455, section 5.2. */
export function serverFrames (received: Buffer): Frame[] {
  const frames: Frame[] = []
  let at = received.indexOf('\r\n\r\n') + 4
  while (at + 2 <= received.length) {
    const short = received[at + 1]!
    const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10)
    if (start > received.length) break
    const length = short < 126 ? short : short === 126 ? received.readUInt16BE(at + 2) : Number(received.readBigUInt64BE(at + 2))
    if (start + length > received.length) break
    frames.push({ opcode: received[at]! & 0xf, payload: received.subarray(start, start + length) })
    at = start + length
  }
  return frames
}

/** Returns the server's close as a client reports it: 1005 for a frame without a code, undefined before the frame. */
export function closeOf ({ received }: { readonly received: Buffer }): { code: number, reason: string } | undefined {
  const { payload } = serverFrames(received).find(({ opcode }) => opcode === 8) ?? {}
  return payload && { code: payload.length < 2 ? 1005 : payload.readUInt16BE(), reason: payload.subarray(2).toString() }
}

/** A frame that is a whole message, or a control frame. */
export interface WholeFrame extends Frame { readonly deflated: boolean }

/**
 * Returns everything that the server sent, as frames, without anything before the end of an HTTP head.
 * @throws unless all are complete, final, unmasked frames with the shortest header. RFC 6455, section 5.2
 */
export function wholeFrames (sent: Uint8Array): WholeFrame[] {
  let rest = Buffer.from(sent.buffer, sent.byteOffset, sent.byteLength)
  if (rest.subarray(0, 5).toString() === 'HTTP/') rest = rest.subarray(rest.indexOf('\r\n\r\n') + 4)
  const frames: WholeFrame[] = []
  while (rest.length > 0) {
    const [first = 0, second = 0xff] = rest
    const [opcode, rsv] = [first & 0xf, (first >> 4) & 7]
    const length = second < 126 ? second : second === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2))
    const start = second < 126 ? 2 : second === 126 ? 4 : 10
    const control = opcode >= 8
    const isFrame = first >= 0x80 && second < 128 && [1, 2, 8, 9, 10].includes(opcode) && (rsv === 0 || (rsv === 4 && !control)) &&
      start === (length < 126 ? 2 : length < 65_536 ? 4 : 10) && (!control || length < 126) && rest.length >= start + length
    if (!isFrame) throw new Error(`no frame after ${frames.length}: ${rest.subarray(0, 20).toString('hex')}`)
    frames.push({ opcode, deflated: rsv === 4, payload: rest.subarray(start, start + length) })
    rest = rest.subarray(start + length)
  }
  return frames
}

/** Returns a client frame, masked with zeroes so that a dump shows its payload. RFC 6455, section 5.2. */
export function clientFrame (opcode: number, payload: Uint8Array | string = '', { fin = true, masked = true, rsv = 0 } = {}): Buffer {
  const body = Buffer.from(payload as string)
  const header = body.length < 126
    ? Buffer.from([0, body.length])
    : body.length < 65_536
      ? Buffer.from([0, 126, body.length >> 8, body.length & 255])
      : Buffer.concat([Buffer.from([0, 127, 0, 0, 0, 0]), Buffer.from(new Uint32Array([body.length]).buffer).swap32()])
  header[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode
  if (masked) header[1]! |= 0x80
  return Buffer.concat([header, masked ? Buffer.alloc(4) : Buffer.alloc(0), body])
}
