import fc from 'fast-check'
import t from 'tap'
import { connect } from '../../src/testing.ts'
import { build, listen } from '../support/app.ts'
import { chat } from '../support/chat-app.ts'
import { clientFrame, serverFrames } from '../support/frames.ts'
import { upgraded } from '../support/raw-client.ts'
import { tick } from '../support/tick.ts'
import { V1Client } from '../support/v1-client.ts'
import { open } from '../support/websocket-client.ts'

const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10]

/** A client message with the offsets at which it is split into frames. */
const spoken = fc.record({
  payload: fc.oneof(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.uint8Array({ maxLength: 70_000 })),
  cuts: fc.array(fc.nat(70_000), { maxLength: 6 }),
  between: fc.array(fc.constantFrom(PING, PONG), { maxLength: 2 })
}).map(({ payload, ...rest }) => ({ ...rest, isText: typeof payload === 'string', payload: Buffer.from(payload as string).subarray(0, 65_536) }))

type Spoken = ReturnType<typeof spoken['generate']>['value']

function masked (frame: Buffer, mask: Uint8Array): Buffer {
  const short = frame[1]! & 0x7f
  const start = short < 126 ? 2 : short === 126 ? 4 : 10
  const bytes = Buffer.from(frame)
  bytes.set(mask, start)
  for (let i = start + 4; i < bytes.length; i++) bytes[i]! ^= mask[(i - start) & 3]!
  return bytes
}

/** Returns the message as one or more frames, with control frames in between. */
function framesOf ({ payload, isText, cuts, between }: Spoken): Buffer[] {
  const ends = [...new Set(cuts.map((cut) => Math.min(cut, payload.length)))].sort((a, b) => a - b).concat(payload.length)
  return ends.flatMap((end, i) => {
    const part = payload.subarray(i === 0 ? 0 : ends[i - 1], end)
    const fragment = clientFrame(i > 0 ? CONTINUATION : isText ? TEXT : BINARY, part, { fin: i === ends.length - 1 })
    return i === 0 ? [fragment] : [...between.map((opcode) => clientFrame(opcode, 'between')), fragment]
  })
}

/** Splits bytes into pieces, as a network might. */
function pieces (bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const cut: Buffer[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = i < sizes.length ? sizes[i]! : bytes.length
    cut.push(bytes.subarray(at, at + size))
    at += size
  }
  return cut
}

t.test('echo returns messages unchanged, however they are fragmented, masked and split', async (t) => {
  const port = await listen(await build(t, {}, { controlRate: 1_000 }))
  const pieceSizes = fc.array(fc.integer({ min: 1, max: 5_000 }), { maxLength: 20 })
  const mask = fc.uint8Array({ minLength: 4, maxLength: 4 })
  await fc.assert(fc.asyncProperty(fc.array(spoken, { minLength: 1, maxLength: 4 }), pieceSizes, mask, async (messages, sizes, mask) => {
    const client = await upgraded(t, port, '/echo')
    const bytes = Buffer.concat(messages.flatMap(framesOf).map((frame) => masked(frame, mask)))
    for (const piece of pieces(bytes, sizes)) {
      client.socket.write(piece)
      // Each piece needs its own packet, or the sizes would have no effect.
      await tick()
    }
    const echoed = () => serverFrames(client.received).filter(({ opcode }) => opcode !== PONG)
    await client.until(() => echoed().length >= messages.length)
    client.socket.destroy()
    const expected = messages.map(({ isText, payload }) => [isText ? TEXT : BINARY, payload.toString('hex')])
    const actual = echoed().map(({ opcode, payload }) => [opcode, payload.toString('hex')])
    if (JSON.stringify(actual) !== JSON.stringify(expected)) throw new Error(`${actual.length} messages instead of ${expected.length}, or others`)
  }), { numRuns: 150 })
})

/** Close codes that a server may send for what a client did. */
const proper = new Set([1000, 1002, 1005, 1007, 1008, 1009, 4400])

t.test('random bytes end with a proper close code and do not affect other connections', async (t) => {
  const app = await build(t)
  const port = await listen(app)
  const witness = await open(t, `ws://127.0.0.1:${port}/echo`)
  const header = fc.tuple(fc.nat(255), fc.nat(255), fc.uint8Array({ maxLength: 40 })).map(([first, second, rest]) => Buffer.from([first, second, ...rest]))
  const whole = fc.tuple(fc.nat(15), fc.uint8Array({ maxLength: 20 }), fc.boolean(), fc.boolean(), fc.constantFrom(0, 0, 0, 1, 4))
    .map(([opcode, payload, fin, masked, rsv]) => clientFrame(opcode, payload, { fin, masked, rsv }))
  const garbage = fc.array(fc.oneof(fc.uint8Array({ maxLength: 60 }), header, whole), { minLength: 1, maxLength: 12 })
  const paths = fc.constantFrom(['/echo', {}], ['/chat', {}], ['/chat', { 'Sec-WebSocket-Protocol': 'fastify-chat.v1' }]) as
    fc.Arbitrary<[string, Record<string, string>]>
  await fc.assert(fc.asyncProperty(garbage, paths, fc.boolean(), async (parts, [path, headers], early) => {
    const bytes = Buffer.concat(parts)
    const client = await upgraded(t, port, path, early ? bytes : undefined, headers)
    if (!early) client.socket.write(bytes)
    client.socket.end()
    await client.ended
    client.socket.destroy()
    for (const { payload } of serverFrames(client.received).filter(({ opcode }) => opcode === CLOSE)) {
      const code = payload.length < 2 ? 1005 : payload.readUInt16BE()
      // The close frame of a client is answered with its own code.
      if (!proper.has(code) && !bytes.includes(CLOSE | 0x80)) throw new Error(`closed with ${code}`)
    }
    witness.socket.send('here')
    if (await witness.next() !== 'here') throw new Error('the echo of another')
  }), { numRuns: 250 })
  t.strictSame(app.lines.filter(({ level }) => level >= 50), [])
})

const types = ['hello', 'join', 'leave', 'post', 'typing', 'history', 'ping', 'constructor', '__proto__']
const json = fc.oneof(
  fc.jsonValue({ maxDepth: 6 }),
  fc.dictionary(fc.constantFrom('type', 'room', 'id', 'text', 'data', 'since', 'before', 'limit', 'after', 'name', '__proto__'), fc.jsonValue({ maxDepth: 3 })),
  fc.record({
    type: fc.constantFrom(...types),
    room: fc.oneof(fc.constantFrom('lobby', 'a', '__proto__'), fc.string()),
    id: fc.oneof(fc.string({ minLength: 1, maxLength: 64 }), fc.jsonValue()),
    text: fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()),
    data: fc.jsonValue({ maxDepth: 20 }),
    history: fc.oneof(fc.nat(1_000), fc.jsonValue()),
    before: fc.string(),
    limit: fc.oneof(fc.nat(1_001), fc.jsonValue())
  }, { requiredKeys: ['type'] })
).map((value) => JSON.stringify(value))
const rubbish = fc.oneof(json, fc.string({ unit: 'binary' }), json.chain((text) => fc.nat(text.length).map((end) => text.slice(0, end))))

t.test('random JSON or text is answered by protocol messages, and the connection stays open', async (t) => {
  const { app } = await chat(t)
  const connection = await connect(app, '/chat', { protocol: 'fastify-chat.v1' })
  t.teardown(() => connection.socket.terminate())
  const client = new V1Client(connection)
  await client.hello()
  await client.join('lobby')
  let pings = 0
  await fc.assert(fc.asyncProperty(rubbish, async (text) => {
    // A lone surrogate can't be sent as text.
    if (Buffer.from(text).toString() !== text) return
    client.say(text)
    const id = `end ${++pings}`
    client.say({ type: 'ping', id })
    // The test client checks each message against its schema, and rejects if the connection closes.
    for (let answer = await client.any(); answer.type !== 'pong' || answer.id !== id; answer = await client.any());
  }), { numRuns: 500 })
  t.ok(pings > 300)
  t.strictSame(app.lines.filter(({ level }) => level >= 50), [])
})
