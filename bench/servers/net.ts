import { createServer, type Socket } from 'node:net'
import { TEXT, unmaskedFrame } from '../frames.ts'
import { acceptKey } from '../handshake.ts'
import { serve } from './serve.ts'

/** The lower bound in Node, without an HTTP server or a library. Frames a message once and writes it to each socket. */
serve(() => {
  const rooms = new Map<string, Set<Socket>>()
  return createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    socket.once('data', (request) => {
      const head = request.toString('latin1')
      const url = head.split(' ', 2)[1]!
      const members = rooms.get(url) ?? new Set()
      rooms.set(url, members.add(socket))
      const key = /^sec-websocket-key: (.+)\r$/im.exec(head)![1]!
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n`)
      socket.once('close', () => members.delete(socket))
      let rest = Buffer.alloc(0)
      socket.on('data', (chunk) => {
        rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
        for (let end: number | undefined; (end = endOfFrame(rest)) !== undefined; rest = rest.subarray(end)) {
          if ((rest[0]! & 0x0f) !== TEXT) continue
          const frame = unmaskedFrame(unmask(rest, end))
          for (const member of members) member.write(frame)
        }
      })
    })
  })
})

/** Returns the end of a masked frame under 64 KiB; undefined while it is incomplete. */
function endOfFrame (bytes: Buffer): number | undefined {
  if (bytes.length < 6) return undefined
  const short = bytes[1]! & 0x7f
  const end = short < 126 ? 6 + short : 8 + bytes.readUInt16BE(2)
  return bytes.length < end ? undefined : end
}

function unmask (bytes: Buffer, end: number): Buffer {
  const mask = (bytes[1]! & 0x7f) < 126 ? 2 : 4
  const payload = Buffer.allocUnsafe(end - mask - 4)
  for (let i = 0; i < payload.length; i++) payload[i] = bytes[mask + 4 + i]! ^ bytes[mask + (i & 3)]!
  return payload
}
