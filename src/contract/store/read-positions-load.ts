import assert from 'node:assert/strict'
import { setImmediate as tick } from 'node:timers/promises'
import type { Appended, ReadPosition, Store } from '../../store.ts'
import { all, countAfter, readUpTo, says, upTo } from './entries.ts'
import { MixedLoad } from './mixed-load.ts'
import { ReadLoad } from './read-load.ts'
import type { StoreSubtest } from './bounds.ts'

/** Checks read positions and unread counts under load. */
export async function readPositionsLoadPromises (test: StoreSubtest): Promise<void> {
  await test('after each of 1,000 posts, changes, clears and marks of two devices, the counts are right', async (open) => {
    const one = await open()
    const load = new ReadLoad(1)
    await load.run([one], 1_000)
    await load.check(one)
  })

  await test('after each of 1,000 calls in rooms that are trimmed, the counts are right', async (open) => {
    const one = await open({ historyEntries: 6 })
    const load = new ReadLoad(2)
    await load.run([one], 1_000)
    await load.check(one)
  })

  await test('while two devices mark, others post and the room is cleared, no count is wrong and no mark moves back', async (open) => {
    const one = await open({ historyEntries: 50 })
    await checkConcurrentMarks([one])
  })
}

/** Posts, changes, marks and clears at the same time, each on any of the stores, which share their data. Checks counts meanwhile. */
export async function checkConcurrentMarks (stores: readonly Store[]): Promise<void> {
  const [one, two] = [stores[0]!, stores.at(-1)!]
  const marked: ReadPosition[] = []
  const done = new AbortController()
  const devices = [one, two].map(async (store, i) => {
    let received: ReadPosition[] = []
    for (const n of upTo(150)) {
      // One of the devices marks a message while it posts the next one, the other before.
      const [appended] = await Promise.all([store.append('a', says(`${n}`)) as Promise<Appended & { again: false }>, store.markRead('ada', received)])
      const position = readUpTo('a', appended)
      marked.push(position)
      received = [position]
      if (i === 0) await store.markRead('ada', received)
      if (n % 50 === 0) await store.clear('a')
      // A store whose promises resolve at once would leave no time for the checks.
      if (n % 5 === 0) await tick()
    }
    await store.markRead('ada', received)
  })
  const calls = Promise.all([...devices, ...stores.map((store, i) => new MixedLoad('a', i).run(store, 150))]).finally(() => done.abort())
  const checks = async () => {
    for (let before = 0; !done.signal.aborted; await tick()) {
      const [kept] = await two.readPositions('ada', 'a')
      if (kept === undefined) continue
      assert.ok(kept.at >= before, 'no mark moves back')
      before = kept.at
      // A post is begun after each read.
      const pages = await Promise.all(stores.flatMap((store) => [store.read('a', { ...all, readPosition: kept.position }), store.append('a', says('x'))]))
      for (const page of pages) if ('entries' in page) assert.equal(page.unread, countAfter(page, kept.position))
    }
  }
  await Promise.all([calls, checks()])
  const newest = Math.max(...marked.map(({ at }) => at))
  for (const store of stores) {
    const [kept] = await store.readPositions('ada')
    assert.equal(kept!.at, newest)
    assert.equal(marked.some(({ position }) => position === kept!.position), true)
  }
}
