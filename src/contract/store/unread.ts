import assert from 'node:assert/strict'
import { NOTHING_READ, type Cursor, type Position, type Query, type ReadPosition, type Store } from '../../store.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, append, begin, countAfter, deletion, edit, end, fill, react, readable, reauthorization, upTo } from './entries.ts'
import { forged, renumbered } from './forged-positions.ts'
import { MixedLoad } from './mixed-load.ts'

/** Resolves with the number of unread entries alone. */
async function unread (store: Store, room: string, readPosition: Position): Promise<number | undefined> {
  const page = await store.read(room, { limit: 0, maxBytes: 0, use: false, readPosition })
  assert.deepEqual(page.entries, [])
  return page.unread
}

/** Checks `Query.readPosition` and `Page.unread`. */
export async function unreadPromises (test: StoreSubtest): Promise<void> {
  await test('unread is the number of the kept entries after a read position', async (open) => {
    const one = await open()
    const beginning = (await one.read('a', all)).head.position
    assert.equal(await unread(one, 'a', beginning), 0)
    const positions = await fill(one, 'a', 10)
    const { revision } = await one.amend('a', positions[0]!, edit('edited'))
    const queries: Query[] = [
      all, { ...all, limit: 3 }, { limit: 9, maxBytes: 1 }, { ...all, limit: 0 }, { ...all, use: false }, { ...all, for: 'ada' }, { ...all, after: positions[3]! },
      { ...all, limit: 1, after: beginning }, { ...all, after: positions[9]! }, { ...all, before: positions[3]! }, { ...all, before: positions[0]! },
      { ...all, after: positions[3]!, revision }, { ...all, limit: 2, after: 'not honoured' }, { ...all, before: 'not honoured' }
    ]
    for (const query of queries) {
      const page = await one.read('a', query)
      assert.equal(page.unread, undefined)
      for (const [i, readPosition] of [beginning, ...positions].entries()) {
        assert.deepEqual(await one.read('a', { ...query, readPosition }), { ...page, unread: 10 - i }, `read up to ${i} of ${JSON.stringify(query)}`)
      }
    }
  })

  await test('an entry stays unread after changes; changes and controls are not counted', async (open) => {
    const one = await open()
    const [first, second, third] = await fill(one, 'a', 3)
    const stream = await begin(one, 'a')
    const counts = () => Promise.all([first!, second!, third!, stream].map((position) => unread(one, 'a', position)))
    assert.deepEqual(await counts(), [3, 2, 1, 0])
    for (const at of upTo(5, 0)) await one.amend('a', stream, append('x', at))
    await one.amend('a', first!, deletion)
    await one.amend('a', second!, edit('edited'))
    await one.amend('a', third!, react('👍', 'ada'))
    await one.control('a', reauthorization)
    assert.deepEqual(await counts(), [3, 2, 1, 0])
    await one.amend('a', stream, end)
    await one.amend('a', third!, deletion)
    assert.deepEqual(await counts(), [3, 2, 1, 0])
    await one.append('a', { from: null, body: Uint8Array.of(0) })
    assert.deepEqual(await counts(), [4, 3, 2, 1])
  })

  await test('if a read position is not honoured, all kept entries are unread', async (open) => {
    const one = await open()
    const positions = await fill(one, 'a', 6)
    const [elsewhere, other] = [(await fill(one, 'b', 6)).at(-1)!, (await fill(await open(), 'a', 6)).at(-1)!]
    const newest = positions[5]!
    const wrong = [elsewhere, other, renumbered(newest, 7), renumbered(newest, Number.MAX_SAFE_INTEGER), NOTHING_READ, '6', 'x'.repeat(128), '__proto__', ...forged(newest), ...forged(positions[2]!)]
    for (const position of wrong) assert.equal(await unread(one, 'a', position), 6, JSON.stringify(position))
    for (const position of [newest, NOTHING_READ]) assert.equal(await unread(one, 'unused', position), 0)
    assert.equal(await unread(one, '__proto__', newest), 0)
    for await (const page of one.rooms()) assert.deepEqual(page.filter((name) => name !== 'a' && name !== 'b'), [], 'a count creates no room')
  })

  await test('trimmed entries are not unread', async (open) => {
    const one = await open({ historyEntries: 5 })
    const beginning = (await one.read('a', all)).head.position
    const positions: Position[] = []
    for (let i = 0; i < 60; i++) {
      positions.push(...await fill(one, 'a', 1))
      const page = await one.read('a', all)
      const kept = page.entries.length
      const expected = [beginning, ...positions].map((_, read) => Math.min(positions.length - read, kept))
      const counts = await Promise.all([beginning, ...positions].map((position) => unread(one, 'a', position)))
      assert.deepEqual(counts, expected, `${kept} of ${positions.length} are kept`)
    }
    assert.equal((await one.read('a', all)).entries.length < positions.length, true)
  })

  await test('in a cleared room, the entries of the new epoch are unread', async (open) => {
    const one = await open()
    const before = await readable(one, 'a', 5)
    const beginning = (await one.read('b', all)).head.position
    await one.markRead('ada', [before[2]!])
    await one.clear('a')
    assert.equal(await unread(one, 'a', before[2]!.position), 0)
    const after: ReadPosition[] = []
    for (const count of upTo(6)) {
      after.push(...await readable(one, 'a', 1))
      for (const { position } of before) assert.equal(await unread(one, 'a', position), count)
      for (const [i, { position }] of after.entries()) assert.equal(await unread(one, 'a', position), count - i - 1)
    }
    assert.equal(await unread(one, 'a', beginning), 6)
  })

  await test('a page and its number of unread entries are of one moment', async (open) => {
    for (const historyEntries of [10, 100_000]) {
      const one = await open({ historyEntries })
      const [first] = await fill(one, 'a', 1)
      const loads = upTo(3).map((i) => new MixedLoad('a', i))
      let read: readonly Cursor[] = [{ offset: 1, position: first! }]
      for (const round of upTo(60)) {
        for (const { offset, position: readPosition } of read) {
          // A post or a change is begun after each read.
          const pages = await Promise.all([{}, { limit: 2 }, { limit: 0, use: false }].map(async (more, i) => {
            const [page] = await Promise.all([one.read('a', { ...all, ...more, readPosition }), loads[i]!.next(one)])
            return page
          }))
          assert.equal(pages[0]!.unread, countAfter(pages[0]!, readPosition), `entries after ${offset} in round ${round}`)
          if (historyEntries > 10) assert.deepEqual(pages.map(({ unread }) => unread), pages.map(({ head }) => head.offset - offset))
        }
        const { entries } = await one.read('a', all)
        read = [read[0]!, entries[Math.floor(entries.length / 2)]!, entries.at(-1)!]
      }
    }
  })
}
