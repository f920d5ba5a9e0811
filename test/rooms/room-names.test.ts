import t from 'tap'
import { WebSocket } from 'ws'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { full } from '../support/full.ts'
import { memoryInUse } from '../support/memory.ts'
import { tick } from '../support/tick.ts'
import { serves } from '../support/websocket-client.ts'

/** Joins and leaves `names` rooms with generated names. Resolves with the number of answers per type. */
async function wander ({ member }: ChatApp, from: number, names: number): Promise<Record<string, number>> {
  const client = await member()
  const answers: Record<string, number> = {}
  const step = 1_000
  let due = 0
  let answered = () => {}
  client.socket.removeAllListeners('message').on('message', (data: Buffer) => {
    const [type = ''] = /(?<="type":")\w+/.exec(data.toString('latin1', 0, 30)) ?? []
    if (type === 'presence') return
    answers[type] = (answers[type] ?? 0) + 1
    if (--due === 0) answered()
  })
  for (let i = from; i < from + names; i += step) {
    for (let n = i; n < i + step; n++) {
      client.say(`{"type":"join","room":"r${n}"}`)
      client.say(`{"type":"leave","room":"r${n}"}`)
    }
    due = step * 2
    await new Promise<void>((resolve) => { answered = resolve })
  }
  await client.end()
  return answers
}

t.test('a client that joins generated rooms exceeds the message rate immediately', async (t) => {
  const { app, port, member } = await chat(t, { limits: { messageRate: 10 } })
  const client = await member()
  for (let i = 0; i < 100_000 && client.socket.readyState === WebSocket.OPEN; i++) {
    client.say({ type: 'join', room: `r${i}` })
    if (i % 100 === 0) await tick()
  }
  t.match(await client.closed, { code: 1008 })
  t.ok(app.chat.stats().rooms <= 20)
  await serves(t, port)
})

const each = full(4_000, 1_000)

t.test("thousands of rooms joined one after another don't exceed the limit of followed rooms", async (t) => {
  const room = await chat(t, { limits: { rooms: 1_000 } })
  const before = await memoryInUse()
  const answers = await Promise.all(Array.from({ length: 5 }, (_, i) => wander(room, i * each, each)))
  for (const counts of answers) t.strictSame(counts, { joined: each, left: each })
  // A room without members keeps its first position, from which a returning client resumes.
  const kept = await memoryInUse() - before
  t.ok(kept < full(60, 15) * 2 ** 20, `${Math.round(kept / 2 ** 20)} MiB`)
  t.equal(room.app.chat.stats().rooms, 0)
  await serves(t, room.port)
  await room.app.close()
  const left = await memoryInUse() - before
  t.ok(left < full(20, 5) * 2 ** 20, `${Math.round(left / 2 ** 20)} MiB remain`)
})
