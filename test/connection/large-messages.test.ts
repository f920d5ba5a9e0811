import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import type { FastifyChatOptions } from '../../src/index.ts'
import { build, listen, logged } from '../support/app.ts'
import { clientFrame, serverFrames } from '../support/frames.ts'
import { upgraded, type RawClient } from '../support/raw-client.ts'
import { wired } from '../support/server-side.ts'
import { tick } from '../support/tick.ts'

const [CONTINUATION, TEXT, BINARY, CLOSE] = [0, 1, 2, 8]
const KiB = 1024
const MiB = 1024 * KiB

/** Sends bytes that the server receives in reads of this size. */
async function inReads ({ socket: client }: RawClient, server: Socket, bytes: Buffer, size: number): Promise<void> {
  const before = server.bytesRead
  for (let at = 0; at < bytes.length && !server.destroyed; at += size) {
    client.write(bytes.subarray(at, at + size))
    while (server.bytesRead < before + Math.min(at + size, bytes.length) && !server.destroyed) await tick()
  }
}

/** Returns a message in fragments of this size. */
function fragments (message: Buffer, size: number): Buffer {
  const frames: Buffer[] = []
  for (let at = 0; at < message.length; at += size) {
    frames.push(clientFrame(at === 0 ? BINARY : CONTINUATION, message.subarray(at, at + size), { fin: at + size >= message.length }))
  }
  return Buffer.concat(frames)
}

async function echo (t: Test, limits: FastifyChatOptions['limits']) {
  const app = await build(t, { limits })
  const port = await listen(app)
  const { client, wire: { socket } } = await wired(app, () => upgraded(t, port, '/echo'))
  return { app, client, server: socket, answer: async () => serverFrames(await client.until((received) => serverFrames(received).length > 0))[0]! }
}

const random = (bytes: number) => Buffer.from(Uint32Array.from({ length: bytes / 4 }, (_, i) => (i * 2_654_435_761) >>> 0).buffer)

for (const [title, bytes, size] of [
  ['8 MiB in reads of 1,460 bytes', 8 * MiB, 1_460],
  ['1 MiB in reads of 64 bytes', MiB, 64],
  ['64 KiB in reads of 7 bytes', 64 * KiB, 7]
] as const) {
  t.test(`a message of ${title} is received`, async (t) => {
    const message = random(bytes)
    const { client, server, answer } = await echo(t, { echoPayload: bytes, receiveBudget: 2 * bytes + 2 * KiB })
    await inReads(client, server, clientFrame(BINARY, message), size)
    const { opcode, payload } = await answer()
    t.equal(opcode, BINARY)
    t.ok(payload.equals(message))
  })
}

t.test('reads of any size are put together in order', async (t) => {
  const { client, server } = await echo(t, { echoPayload: MiB })
  const messages = [1, 100, 5_000, 50_000, 200_000].map((bytes) => random(4 * bytes))
  const sizes = [1, 4_095, 4_096, 13, 4_097, 20_000, 1, 60_000]
  const bytes = Buffer.concat(messages.map((message) => clientFrame(BINARY, message)))
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!
    await inReads(client, server, bytes.subarray(at, at + size), size)
    at += size
  }
  const received = serverFrames(await client.until((received) => serverFrames(received).length === messages.length))
  t.ok(received.every(({ payload }, i) => payload.equals(messages[i]!)))
})

t.test('the fragments of a message may have 64 bytes on average, with any payload limit', async (t) => {
  const message = random(MiB)
  const { client, answer } = await echo(t, { echoPayload: MiB })
  client.socket.write(fragments(message, 64))
  t.ok((await answer()).payload.equals(message))
})

t.test('fragments of less than 64 bytes on average close with 1008 and a reason', async (t) => {
  const { app, client } = await echo(t, { echoPayload: MiB })
  client.socket.write(fragments(random(MiB), 60))
  const { opcode, payload } = serverFrames(await client.until((received) => serverFrames(received).length > 0))[0]!
  const close = { code: 1008, reason: 'Too many message fragments' }
  t.strictSame([opcode, payload.readUInt16BE(), payload.subarray(2).toString()], [CLOSE, close.code, close.reason])
  client.socket.destroy()
  t.match(await logged(app, 'websocket closed'), close)
  t.strictSame(app.chat.stats().disconnects, { too_many_fragments: 1 })
})

t.test('fragments count in receiveBudget with the memory that they take', async (t) => {
  const { app, client } = await echo(t, { echoPayload: MiB, receiveBudget: 2 * MiB + 2 * KiB })
  client.socket.write(fragments(Buffer.alloc(16_000, 'x'), 1).subarray(0, -7))
  await client.ended
  t.match(await logged(app, 'websocket closed'), { code: 1013, reason: 'receive budget exceeded' })
})

t.test('text in fragments and small reads is received', async (t) => {
  const { client, server, answer } = await echo(t, { echoPayload: 256 * KiB })
  const text = '👋 wave '.repeat(2_000)
  const bytes = Buffer.from(text)
  await inReads(client, server, Buffer.concat([clientFrame(TEXT, bytes.subarray(0, 5_001), { fin: false }), clientFrame(CONTINUATION, bytes.subarray(5_001))]), 33)
  t.equal((await answer()).payload.toString(), text)
})
