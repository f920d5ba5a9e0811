import assert from 'node:assert/strict'
import type { Cursor, Position, Query } from '../../store.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, deletion, says, bodies, numbers, cursor, summary, upTo, fill } from './entries.ts'
import { atTime, forged, renumbered } from './forged-positions.ts'
import { Follower } from './follower.ts'

/** Checks pages and positions. */
export async function readPromises (test: StoreSubtest): Promise<void> {
  await test('read returns the page that a query selects', async (open) => {
    const one = await open()
    const beginning = (await one.read('a', all)).head
    assert.equal(beginning.offset, 0)
    const positions = await fill(one, 'a', 10, 'é'.repeat(50))
    const [third, tenth] = [positions[2]!, positions[9]!]
    const cases: Array<[title: string, query: Query, expected: { numbers: number[], more?: boolean }]> = [
      ['the newest', { ...all, limit: 3 }, { numbers: [8, 9, 10], more: true }],
      ['all', all, { numbers: upTo(10) }],
      ['exactly all', { limit: 10, maxBytes: 1_000 }, { numbers: upTo(10) }],
      ['none of them', { ...all, limit: 0 }, { numbers: [], more: true }],
      ['the newest within bytes of content', { limit: 10, maxBytes: 399 }, { numbers: [8, 9, 10], more: true }],
      ['one entry, even if larger than the bytes', { limit: 10, maxBytes: 1 }, { numbers: [10], more: true }],
      ['after an entry, from there on', { ...all, after: third }, { numbers: upTo(10, 4) }],
      ['after an entry, a page', { ...all, limit: 2, after: third }, { numbers: [4, 5], more: true }],
      ['after an entry, exactly the rest', { ...all, limit: 7, after: third }, { numbers: upTo(10, 4) }],
      ['after an entry, within bytes of content', { limit: 9, maxBytes: 399, after: third }, { numbers: [4, 5, 6], more: true }],
      ['after an entry, one larger than the bytes', { limit: 9, maxBytes: 1, after: third }, { numbers: [4], more: true }],
      ['after the newest', { ...all, after: tenth }, { numbers: [] }],
      ['after the beginning', { ...all, limit: 2, after: beginning.position }, { numbers: [1, 2], more: true }],
      ['before an entry', { ...all, before: third }, { numbers: [1, 2] }],
      ['before an entry, a page of the nearest', { ...all, limit: 1, before: third }, { numbers: [2], more: true }],
      ['before an entry, exactly the rest', { ...all, limit: 2, before: third }, { numbers: [1, 2] }],
      ['before an entry, within bytes of content', { limit: 9, maxBytes: 399, before: tenth }, { numbers: [7, 8, 9], more: true }],
      ['before the first', { ...all, before: positions[0]! }, { numbers: [] }],
      ['before the beginning', { ...all, before: beginning.position }, { numbers: [] }]
    ]
    for (const [title, query, { numbers: expected, more = false }] of cases) {
      const page = await one.read('a', query)
      assert.deepEqual({ numbers: numbers(page), complete: page.complete, more: page.more, head: cursor(page.head) },
        { numbers: expected, complete: true, more, head: { offset: 10, position: tenth } }, title)
    }
  })

  await test('a position that is not kept gives complete: false and the newest entries', async (open) => {
    const one = await open()
    const positions = await fill(one, 'a', 10)
    const [other] = (await fill(one, 'b', 8)).slice(-1)
    const [elsewhere] = (await fill(await open(), 'a', 8)).slice(-1)
    const cases: Record<string, Position> = {
      "another room's": other!,
      'of another epoch': elsewhere!,
      'of the future': renumbered(positions[9]!, 11),
      'of the far future': renumbered(positions[9]!, Number.MAX_SAFE_INTEGER),
      'with the right offset and a wrong time': atTime(positions[7]!, () => 1),
      'the offset alone': '8',
      'without an offset': renumbered(positions[9]!, 'x'),
      'with a negative offset': renumbered(positions[9]!, '-1'),
      'with a fraction': `${positions[9]!}.0`,
      'with something before': ` ${positions[9]!}`,
      'with something after': `${positions[9]!} `,
      nothing: '',
      nonsense: '../--9-',
      'a NUL': '\u0000',
      long: 'x'.repeat(128)
    }
    for (const [title, position] of Object.entries(cases)) {
      for (const query of [{ ...all, limit: 3, after: position }, { ...all, limit: 3, before: position }]) {
        const page = await one.read('a', query)
        assert.deepEqual({ complete: page.complete, numbers: numbers(page), head: page.head.offset },
          { complete: false, numbers: [8, 9, 10], head: 10 }, `${'after' in query ? 'after' : 'before'} one ${title}`)
      }
    }
  })

  await test('a forged position is never accepted in after, before, since, get or amend', async (open) => {
    const one = await open({ historyEntries: 3, dedupWindow: 1 })
    const cursors: Cursor[] = []
    const post = async () => cursors.push(await one.append('a', says('x', { key: `k${cursors.length}`, hash: 'h' })))
    do await post(); while (cursors.length < 5 || (await one.read('a', { ...all, after: cursors[2]!.position })).complete)
    const head = cursors.at(-1)!
    const newest = cursor(head)
    const positions = [head, cursors.at(-2)!, cursors[2]!, cursors[0]!].flatMap(({ position }) => forged(position))
    for (const position of [...positions, atTime(head.position, (at) => at + 1), atTime(cursors.at(-2)!.position, (at) => at + 1)]) {
      for (const query of [{ ...all, after: position }, { ...all, before: position }]) {
        const page = await one.read('a', query)
        assert.deepEqual([page.complete, cursor(page.head), page.entries.at(-1)?.position], [false, newest, newest.position], JSON.stringify(query))
      }
      await assert.rejects(one.append('a', says('forged', { key: 'f', hash: 'h', since: position })), { code: 'FST_CHAT_STALE' }, `since ${JSON.stringify(position)}`)
      await assert.rejects(one.amend('a', position, deletion), { code: 'FST_CHAT_NOT_KEPT' }, JSON.stringify(position))
      assert.equal(await one.get('a', position), undefined, JSON.stringify(position))
    }
    assert.deepEqual(cursor((await one.read('a', all)).head), newest, 'nothing is stored')
    assert.equal(bodies(await one.read('a', all)).includes(''), false, 'nothing is deleted')
    for (const position of [...forged((await one.read('empty', all)).head.position)]) {
      assert.equal((await one.read('empty', { ...all, after: position })).complete, false, JSON.stringify(position))
    }
  })

  await test('a room keeps its newest entries; a trimmed position gives complete: false', async (open) => {
    const one = await open({ historyEntries: 5 })
    const beginning = (await one.read('a', all)).head.position
    const positions: Position[] = []
    do positions.push(...await fill(one, 'a', 10)); while ((await one.read('a', { ...all, after: positions[0]! })).complete)
    const page = await one.read('a', all)
    const last = positions.length
    assert.equal(page.entries.length >= 5, true)
    assert.deepEqual(numbers(page), upTo(last, last - page.entries.length + 1))
    assert.deepEqual([page.head.offset, page.more], [last, false])
    for (const position of [beginning, positions[0]!]) {
      assert.deepEqual(summary(await one.read('a', { ...all, limit: 2, after: position })), { complete: false, numbers: [last - 1, last], more: true })
      assert.deepEqual(summary(await one.read('a', { ...all, limit: 2, before: position })), { complete: false, numbers: [last - 1, last], more: true })
    }
    const oldest = page.entries[0]!
    assert.deepEqual(await one.read('a', { ...all, after: oldest.position }), { ...page, entries: page.entries.slice(1) })
    assert.deepEqual(await one.read('a', { ...all, before: oldest.position }), { ...page, entries: [] })
  })

  await test('the position of an empty room can be resumed from', async (open) => {
    const one = await open()
    const { head } = await one.read('a', all)
    assert.deepEqual(summary(await one.read('a', { ...all, after: head.position })), { complete: true, numbers: [], more: false })
    const feed = await one.follow('b', () => {})
    assert.equal(feed.head.offset, 0)
    for (const room of ['a', 'b']) await fill(one, room, 2)
    assert.deepEqual(summary(await one.read('a', { ...all, after: head.position })), { complete: true, numbers: [1, 2], more: false })
    assert.deepEqual(summary(await one.read('b', { ...all, after: feed.head.position })), { complete: true, numbers: [1, 2], more: false })
  })

  await test('a read is never older than an acknowledged or delivered entry', async (open) => {
    const one = await open()
    const reads: Array<Promise<boolean>> = []
    const follower = await Follower.of(one, 'a', (page) => {
      reads.push(one.read('a', { ...all, limit: 1 }).then(({ head }) => head.offset >= page.entries.at(-1)!.offset))
    })
    await Promise.all(upTo(200).map(async () => {
      const { offset: n } = await one.append('a', says('x'))
      reads.push(one.read('a', { ...all, limit: 1 }).then(({ head, entries }) => head.offset >= n && entries[0]!.offset >= n))
    }))
    await follower.until(() => follower.entries.length === 200)
    assert.equal((await Promise.all(reads)).every((newer) => newer), true)
  })
}
