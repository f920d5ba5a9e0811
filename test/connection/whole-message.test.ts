import type { Writable } from 'node:stream'
import t from 'tap'
import * as ws from 'ws'
import { wholeMessage, wholePong } from '../../src/connection/whole-message.ts'
import { Message } from '../../src/connection/message.ts'

// The types of `ws` leave it out.
const { Receiver } = ws as unknown as { Receiver: new (options: object) => Writable }

const LIMIT = 70_000
const lengths = [0, 1, 3, 4, 92, 93, 94, 95, 96, 97, 98, 99, 100, 125, 126, 127, 128, 1_000, 65_535, 65_536, LIMIT, LIMIT + 1]
const texts = ['a', 'é', '世', '👋', '\u0000']
const invalid = Buffer.from([0xc3])

const random = (below: number) => Math.floor(Math.random() * below)
const one = <T>(values: readonly T[]) => values[random(values.length)]!

/** Returns a payload of random text, which may be cut within a character, or of random bytes. */
function payload (): Buffer {
  const length = one([one(lengths), random(200)])
  if (random(4) === 0) return Buffer.from(Uint8Array.from({ length }, () => random(256)))
  const text = Buffer.from(one(texts).repeat(length)).subarray(0, length)
  return random(4) === 0 && length > 0 ? Buffer.concat([text.subarray(0, -1), invalid]) : text
}

/** Returns a frame with a random key, whose header is valid more often than not. */
function frame (): Buffer {
  const body = payload()
  const first = one([0x81, 0x82, 0x81, 0x82, random(256)])
  const masked = random(10) > 0 ? 0x80 : 0
  const form = one([body.length < 126 ? 0 : body.length < 65_536 ? 126 : 127, 126, 127])
  const head = form === 0 ? Buffer.from([first, masked | body.length]) : Buffer.from([first, masked | form])
  const size = Buffer.alloc(form === 0 ? 0 : form === 126 ? 2 : 8)
  if (form === 126) size.writeUInt16BE(body.length & 0xffff)
  if (form === 127) size.writeBigUInt64BE(BigInt(body.length))
  const key = Uint8Array.from({ length: 4 }, () => random(256))
  return Buffer.concat([head, size, key, body.map((byte, i) => byte ^ key[i & 3]!)])
}

/** Returns the messages that `ws` reads. Stops at the first error, as a connection does. */
async function readByWs (bytes: Buffer): Promise<Message[]> {
  const receiver = new Receiver({ isServer: true, maxPayload: LIMIT })
  const messages: Message[] = []
  receiver.on('message', (data: Buffer, isBinary: boolean) => messages.push(new Message(Buffer.from(data), isBinary)))
  receiver.on('error', () => {})
  await new Promise((resolve) => receiver.write(Buffer.from(bytes), resolve))
  return messages
}

t.test('a whole message is the one that ws reads, and all else is left to ws as it was', async (t) => {
  let read = 0
  let left = 0
  for (let tries = 0; tries < 3_000; tries++) {
    const sent = frame()
    const at = random(9)
    const end = random(5) === 0 ? random(sent.length) : sent.length
    const rest = one([Buffer.alloc(0), Buffer.alloc(random(20), 0x81)])
    const bytes = end < sent.length ? sent.subarray(0, end) : Buffer.concat([sent, rest])
    // The chunk isn't aligned in its buffer.
    const chunk = Buffer.concat([Buffer.alloc(random(9)), Buffer.alloc(at), bytes]).subarray(-at - bytes.length)
    const before = Buffer.from(chunk)
    const message = wholeMessage(chunk, at, LIMIT)
    const [expected] = await readByWs(bytes)
    if (message === undefined) {
      left++
      if (!chunk.equals(before)) t.fail(`changed ${before.toString('hex', 0, 30)}`)
      continue
    }
    read++
    if (expected === undefined || !message.data.equals(expected.data) || message.isBinary !== expected.isBinary) {
      t.fail(`differs for ${before.toString('hex', 0, 30)}`)
    }
    if (!message.isBinary && message.text !== message.data.toString()) t.fail(`another text for ${before.toString('hex', 0, 30)}`)
    const after = message.end
    if (!chunk.subarray(after).equals(before.subarray(after))) t.fail(`changed what follows ${before.toString('hex', 0, 30)}`)
  }
  t.ok(read > 300 && left > 300, `${read} read, ${left} left`)
})

t.test('every valid message in one frame with a short length is read', async (t) => {
  for (const length of lengths.filter((length) => length < 65_536)) {
    for (const [first, byte] of [[0x81, 0x61], [0x82, 0xff]] as const) {
      const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 255]
      const key = [1, 2, 3, 4]
      const body = Buffer.alloc(length, byte)
      const bytes = Buffer.from([first, ...size, ...key, ...body.map((value, i) => value ^ key[i & 3]!)])
      t.ok(wholeMessage(bytes, 0, LIMIT)?.data.equals(body), `${length} bytes of ${byte}`)
      t.equal(wholeMessage(bytes, 0, length - 1), undefined, 'above the limit')
    }
  }
})

t.test('a character that is not ASCII is found at each place of a payload', async (t) => {
  const key = [1, 2, 3, 4]
  for (const length of [10, 95, 96, 97, 98, 99, 120]) {
    for (let at = 0; at <= length - 2; at++) {
      const text = `${'a'.repeat(at)}é${'a'.repeat(length - 2 - at)}`
      const bytes = Buffer.from([0x81, 0x80 | length, ...key, ...Buffer.from(text).map((value, i) => value ^ key[i & 3]!)])
      if (wholeMessage(bytes, 0, LIMIT)?.text !== text) t.fail(`at ${at} of ${length}`)
    }
  }
})

t.test('a pong that ends within the chunk is read, and all else is left as it was', async (t) => {
  const key = [1, 2, 3, 4]
  const pong = (length: number, first = 0x8a, masked = 0x80) =>
    Buffer.from([first, masked | length, ...key, ...Buffer.alloc(length, 'a').map((value, i) => value ^ key[i & 3]!)])
  for (const length of [0, 1, 5, 125]) {
    const chunk = Buffer.concat([Buffer.from('before'), pong(length), Buffer.from('after')])
    t.equal(wholePong(chunk, 6)?.toString(), 'a'.repeat(length))
    t.equal(chunk.subarray(-5).toString(), 'after')
    for (const cut of [1, 5, length + 5]) t.equal(wholePong(pong(length).subarray(0, cut), 0), undefined)
  }
  for (const other of [pong(126), pong(127), pong(5, 0x89), pong(5, 0x0a), pong(5, 0xca), pong(5, 0x8a, 0), Buffer.from([])]) {
    const before = Buffer.from(other)
    t.equal(wholePong(other, 0), undefined)
    t.ok(other.equals(before))
  }
})
