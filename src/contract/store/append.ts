import assert from 'node:assert/strict'
import type { Draft } from '../../store.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, says, bodies, cursor, upTo, fill } from './entries.ts'
import { Follower } from './follower.ts'

/** Checks that entries are stored in order, unchanged and bounded. */
export async function appendPromises (test: StoreSubtest): Promise<void> {
  await test('entries are numbered 1, 2, 3 … in call order, separately in each room', async (open) => {
    const one = await open()
    const rooms = ['a', 'b', 'a:b', '__proto__']
    const cursors = await Promise.all(upTo(400).map((i) => one.append(rooms[i % 4]!, says(`${i}`))))
    assert.equal(new Set(cursors.map(({ position }) => position)).size, 400, 'each entry has its own position')
    for (const { position } of cursors) assert.match(position, /^[\w.-]{1,128}$/, 'a position needs no escaping in JSON')
    for (const { position } of cursors) assert.ok(!position.includes('-.'), 'positions can be joined')
    assert.deepEqual(cursors.map(({ offset }) => offset), upTo(400).map((i) => Math.ceil(i / 4)))
    for (const [r, room] of rooms.entries()) {
      const page = await one.read(room, all)
      assert.deepEqual(bodies(page), upTo(400).filter((i) => i % 4 === r).map(String), room)
      assert.deepEqual(page.entries.map(cursor), cursors.filter((_, i) => (i + 1) % 4 === r).map(cursor))
      assert.deepEqual(cursor(page.head), cursor(page.entries.at(-1)!))
    }
  })

  await test('an entry is kept as it was appended', async (open) => {
    const one = await open()
    const drafts: Record<string, Draft> = {
      text: says('grüße 👋\u0000\n'),
      'empty text': says(''),
      bytes: says(Uint8Array.from(upTo(255, 0))),
      'no bytes': says(new Uint8Array(0)),
      'a sender with a name': says('x', { from: { id: 'i d', name: 'ädä' } }),
      'a sender without a name': says('x', { from: { id: 'i', name: '' } }),
      data: says('x', { data: JSON.stringify({ reply: [1, null, { deep: true }], text: '"\u2028 grüße 👋' }) }),
      'data that is null': says('x', { data: 'null' }),
      'data that is false': says('x', { data: 'false' }),
      'data in another JSON notation': says('x', { data: '{ "__proto__": 1.0, "\\u0061": 1e2 }' })
    }
    for (const draft of Object.values(drafts)) await one.append('a', draft)
    const delivered = await Follower.of(one, 'b')
    const times = []
    for (const draft of Object.values(drafts)) {
      const appended = await one.append('b', draft)
      times.push('at' in appended && appended.at)
    }
    await delivered.until(() => delivered.entries.length === Object.keys(drafts).length)
    assert.deepEqual(delivered.entries.map(({ at }) => at), times, 'append resolves with the time of a new entry')
    for (const entries of [(await one.read('a', all)).entries, delivered.entries]) {
      for (const [i, [title, { from, body, data }]] of Object.entries(drafts).entries()) {
        const entry = entries[i]!
        assert.equal(typeof entry.body === 'string', typeof body === 'string', title)
        assert.deepEqual([entry.from, Buffer.from(entry.body as string), 'data' in entry], [from, Buffer.from(body as string), data !== undefined], title)
        assert.equal(entry.data, data, title)
        assert.equal(typeof entry.at, 'number')
      }
    }
  })

  await test("a draft that can't be stored is rejected and leaves no state behind", async (open) => {
    const one = await open()
    const wrong: Record<string, Draft> = {
      'no body': says(undefined as unknown as string)
    }
    const follower = await Follower.of(one, 'a')
    await fill(one, 'a', 1)
    for (const [title, draft] of Object.entries(wrong)) await assert.rejects(one.append('a', draft), title)
    await one.append('a', says('after'))
    await follower.has('after')
    assert.deepEqual(follower.numbers, [1, 2])
    assert.deepEqual(bodies(await one.read('a', all)), ['x', 'after'])
  })

  await test('entry times never decrease', async (open) => {
    const one = await open()
    await Promise.all(upTo(500).map(() => one.append('a', says('x'))))
    const times = (await one.read('a', all)).entries.map(({ at }) => at)
    assert.deepEqual(times, times.toSorted((a, b) => a - b))
  })
}
