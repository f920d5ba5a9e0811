import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { chat, turn } from '../support/v1-client.ts'

const MiB = 1024 * 1024

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Returns the bytes in use after garbage collection, in V8's heap and outside of it. */
async function memory (): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collectGarbage()
    await turn()
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

t.test('stored messages stay within storeBytes, also data of many objects and two-byte text', async (t) => {
  const storeBytes = 4 * MiB
  const { member } = await chat(t, { limits: { storeBytes, messageRate: Infinity, messageBurst: Infinity } })
  const members = await Promise.all(Array.from({ length: 20 }, (_, i) => member({}, `room${i}`)))
  const data = Array.from({ length: 5_300 }, () => ({}))
  const before = await memory()
  for (let round = 0; round < 12; round++) {
    await Promise.all(members.map((each, i) => each.posted(`room${i}`, round % 2 === 0 ? '' : 'ā'.repeat(7_000), round % 2 === 0 ? { data } : {})))
  }
  const grown = await memory() - before
  t.ok(grown < 1.15 * storeBytes + 12 * MiB, `${grown} bytes more, storeBytes is ${storeBytes}`)
})
