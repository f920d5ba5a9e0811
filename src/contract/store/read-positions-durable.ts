import assert from 'node:assert/strict'
import { newName } from '../suite.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, fill, readable, upTo } from './entries.ts'
import { ReadLoad } from './read-load.ts'

/** Checks that read positions outlive their store. */
export async function readPositionsDurablePromises (test: StoreSubtest): Promise<void> {
  await test('a reopened store continues with the read positions', async (open) => {
    const name = newName()
    const one = await open({}, name)
    const [a, b, c] = [await readable(one, 'a', 5), await readable(one, 'b', 5), await readable(one, 'c', 5)]
    await one.markRead('ada', [c[1]!, a[3]!, b[0]!])
    await one.markRead('ada', [b[2]!, a[1]!])
    await one.markRead('👋'.repeat(64), [a[0]!])
    await one.markRead('bob', [a[4]!])
    await one.forgetRead('ada', 'c')
    await one.forgetRead('bob', 'a')
    await one.clear('b')
    await one.close()

    const two = await open({}, name)
    assert.deepEqual(await two.readPositions('ada'), [a[3], b[2]])
    assert.deepEqual(await two.readPositions('ada', 'c'), [])
    assert.deepEqual(await two.readPositions('👋'.repeat(64)), [a[0]])
    assert.deepEqual(await two.readPositions('bob'), [])
    const unread = async (room: string, readPosition: string) => (await two.read(room, { limit: 0, maxBytes: 0, readPosition })).unread
    assert.deepEqual([await unread('a', a[3]!.position), await unread('b', b[2]!.position)], [1, 0])
    await fill(two, 'a', 2)
    await fill(two, 'b', 4)
    assert.deepEqual([await unread('a', a[3]!.position), await unread('b', b[2]!.position)], [3, 4])
    await two.markRead('ada', [a[2]!])
    assert.deepEqual(await two.readPositions('ada', 'a'), [a[3]], 'it does not move back')
    await two.markRead('ada', [a[4]!, c[0]!])
    await two.close()
    assert.deepEqual(await (await open({}, name)).readPositions('ada'), [a[4], b[2], c[0]])
  })

  await test('a store that is reopened under a load of marks has the counts that it must have', async (open) => {
    const name = newName()
    const load = new ReadLoad(3)
    for (let i = 0; i < 4; i++) {
      const one = await open({ historyEntries: 20 }, name)
      await load.check(one)
      await load.run([one], 100)
      await one.close()
    }
    await load.check(await open({ historyEntries: 20 }, name))
  })

  await test('close under a load of marks keeps all that were acknowledged', async (open) => {
    const name = newName()
    const one = await open({}, name)
    const positions = await readable(one, 'a', 20)
    const members = upTo(20).map((i) => `member ${i}`)
    const acked = new Map<string, number>()
    const outcomes: Array<Promise<unknown>> = []
    const storm = (first: number, last: number) => {
      for (const offset of upTo(last, first)) {
        for (const member of members) {
          outcomes.push(one.markRead(member, [positions[offset - 1]!]).then(() => acked.set(member, Math.max(offset, acked.get(member) ?? 0))))
        }
      }
      outcomes.push(one.readPositions('member 1'), one.forgetRead('member 0', 'a'))
    }
    storm(1, 7)
    await outcomes[0]
    storm(8, 14)
    const closing = one.close()
    storm(15, 20)
    const settling = Promise.allSettled(outcomes)
    await closing
    const codes = (await settling).flatMap((outcome) => outcome.status === 'rejected' ? [(outcome.reason as { code?: string }).code ?? ''] : [])
    assert.deepEqual(codes.filter((code) => !['FST_CHAT_STORE_CLOSED', 'FST_CHAT_UNAVAILABLE', 'FST_CHAT_UNKNOWN'].includes(code)), [])
    assert.equal(acked.size > 0, true)
    const two = await open({}, name)
    for (const [member, offset] of acked) {
      const [kept] = await two.readPositions(member)
      assert.ok(kept!.offset >= offset, `${member}: ${kept!.offset} of ${offset}`)
      assert.deepEqual(kept, positions[kept!.offset - 1])
    }
    assert.equal((await two.read('a', all)).head.offset, 20)
  })
}
