import t from 'tap'
import { memory } from '../../src/drivers/memory/backend.ts'
import { chat } from '../support/chat-app.ts'
import { memoryInUse } from '../support/memory.ts'

const MiB = 1024 * 1024

t.test('stored messages stay within storeBytes, also data of many objects and two-byte text', async (t) => {
  const storeBytes = 4 * MiB
  const { member } = await chat(t, { backend: memory({ storeBytes }), limits: { messageRate: Infinity, messageBurst: Infinity } })
  const members = await Promise.all(Array.from({ length: 20 }, (_, i) => member({}, `room${i}`)))
  const data = Array.from({ length: 5_300 }, () => ({}))
  const before = await memoryInUse()
  for (let round = 0; round < 12; round++) {
    await Promise.all(members.map((each, i) => each.posted(`room${i}`, round % 2 === 0 ? '' : 'ā'.repeat(7_000), round % 2 === 0 ? { data } : {})))
  }
  const grown = await memoryInUse() - before
  t.ok(grown < 1.15 * storeBytes + 12 * MiB, `${grown} bytes more, storeBytes is ${storeBytes}`)
})
