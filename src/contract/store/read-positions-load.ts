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

/** Posts, changes, marks and clears at the same time, each of any of the stores, which have the same data; checks counts meanwhile. */
export async function checkConcurrentMarks (stores: readonly Store[]): Promise<void> {
  const [one, two] = [stores[0]!, stores.at(-1)!]
  const marked: ReadPosition[] = []
  const done = new AbortController()
  const devices = [one, two].map(async (store, i) => {
    for (const n of upTo(150)) {
      const appended = await store.append('a', says(`${n}`)) as Appended & { again: false }
      const position = readUpTo('a', appended)
      marked.push(position)
      // One of the devices marks each message before the next one, the other several at once.
      const mark = store.markRead('ada', [position])
      if (i === 0 || n % 5 === 0) await mark
      if (n % 50 === 0) await store.clear('a')
    }
    await store.markRead('ada', [])
  })
  const calls = Promise.all([...devices, ...stores.map((store, i) => new MixedLoad('a', i).run(store, 150))]).finally(() => done.abort())
  let before: ReadPosition | undefined
  while (!done.signal.aborted) {
    const [kept] = await two.readPositions('ada', 'a')
    assert.ok((kept?.at ?? 0) >= (before?.at ?? 0), 'no mark moves back')
    before = kept
    if (kept !== undefined) {
      const pages = await Promise.all(stores.map((store) => store.read('a', { ...all, readPosition: kept.position })))
      for (const page of pages) assert.equal(page.unread, countAfter(page, kept.position))
    }
    await tick()
  }
  await calls
  const newest = Math.max(...marked.map(({ at }) => at))
  for (const store of stores) {
    const [kept] = await store.readPositions('ada')
    assert.equal(kept!.at, newest)
    assert.ok(marked.some(({ position }) => position === kept!.position))
  }
}
