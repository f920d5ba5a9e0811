import assert from 'node:assert/strict'
import type { Cursor, Position } from '../../store.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, says, numbers, cursor, upTo, fill } from './entries.ts'
import { renumbered } from './forged-positions.ts'
import { Follower } from './follower.ts'

/** Checks that a post is stored once. */
export async function deduplicationPromises (test: StoreSubtest): Promise<void> {
  await test('a known key returns the position of its first entry', async (open) => {
    const one = await open()
    for (const [i, key] of ['k', 'member id', '__proto__', 'ü\u0000', 'x'.repeat(500)].entries()) {
      const room = `room${i}`
      const draft = says('hello', { key, hash: 'h' })
      assert.equal(await one.find(room, key), undefined)
      const first = await one.append(room, draft)
      assert.equal(first.again, false)
      const again = await one.append(room, { ...draft, since: 'any' })
      assert.deepEqual([cursor(again), again.again], [cursor(first), true], 'with any since')
      assert.deepEqual(cursor((await one.find(room, key))!), cursor(first))
      assert.equal(await one.find(room, `${key}2`), undefined)
      assert.equal(await one.find('elsewhere', key), undefined, 'the key is known in its room only')
      await assert.rejects(one.append(room, { ...draft, hash: 'other' }), { code: 'FST_CHAT_REUSED' }, 'the key is rejected with other content')
      assert.deepEqual(numbers(await one.read(room, all)), [1], 'the entry is stored once')
    }
  })

  await test('simultaneous repeats are stored and delivered once', async (open) => {
    const one = await open()
    const follower = await Follower.of(one, 'a')
    const cursors = await Promise.all(upTo(60).map((i) => one.append('a', says(`${i % 3}`, { key: `${i % 3}`, hash: 'h' }))))
    assert.equal(cursors.filter(({ again }) => !again).length, 3)
    assert.equal(new Set(cursors.map(({ position }) => position)).size, 3)
    assert.equal((await one.append('a', says('1', { key: '1', hash: 'h' }))).again, true)
    await one.append('a', says('end'))
    await follower.has('end')
    assert.deepEqual(follower.entries.map(({ body }) => body), ['1', '2', '0', 'end'])
  })

  await test('entries without a key are never repeats', async (open) => {
    const one = await open()
    assert.deepEqual((await Promise.all([one.append('a', says('x')), one.append('a', says('x'))])).map(({ offset }) => offset), [1, 2])
  })

  await test('a key is remembered as long as its entry', async (open) => {
    const one = await open({ historyEntries: 5, dedupWindow: 1 })
    for (const i of upTo(30)) await one.append('a', says(`${i}`, { key: `${i}`, hash: 'h' }))
    for (const { offset: n, body } of (await one.read('a', all)).entries) assert.equal((await one.find('a', body as string))?.offset, n)
  })

  await test('a post whose key may have been forgotten is STALE; any other is stored', async (open) => {
    const one = await open({ historyEntries: 2, dedupWindow: 1 })
    const beginning = (await one.read('a', all)).head.position
    const cursors: Cursor[] = []
    const keyed = async () => cursors.push(await one.append('a', says('x', { key: `k${cursors.length}`, hash: 'h' })))
    do await keyed(); while (cursors.length < 3 || await one.find('a', 'k1') !== undefined)
    const { head } = await one.read('a', all)
    const [elsewhere] = (await fill(await open(), 'a', cursors.length)).slice(-1)
    const [other] = (await fill(one, 'b', cursors.length)).slice(-1)
    const stale: Record<string, Position> = {
      'the beginning': beginning,
      'before a forgotten one': cursors[0]!.position,
      'another epoch': elsewhere!,
      "another room's": other!,
      'the future': renumbered(head.position, head.offset + 1),
      nonsense: 'x',
      nothing: ''
    }
    for (const [title, since] of Object.entries(stale)) {
      await assert.rejects(one.append('a', says('x', { key: 'k1', hash: 'h', since })), { code: 'FST_CHAT_STALE' }, `since ${title}`)
    }
    assert.equal((await one.read('a', all)).head.offset, head.offset, 'it is not stored')
    const { offset: n, again } = await one.append('a', says('x', { key: 'new', hash: 'h', since: head.position }))
    assert.deepEqual([n, again], [head.offset + 1, false], 'since the newest position it is stored')
    assert.equal((await one.append('a', says('x', { key: 'new', hash: 'h', since: beginning }))).again, true, 'a known key is never STALE')
  })
}
