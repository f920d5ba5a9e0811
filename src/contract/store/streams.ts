import assert from 'node:assert/strict'
import { setImmediate as tick } from 'node:timers/promises'
import type { Amendment } from '../../change.ts'
import { MAX_STREAM_BYTES } from '../../request-bounds.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, append, begin, deletion, edit, end, fill, idleEnd, react, says, upTo } from './entries.ts'

const ada = { id: 'ada', name: 'Ada' }
const [invalid, ended, deleted] = ['INVALID_CHANGE', 'STREAM_ENDED', 'DELETED'].map((code) => ({ code: `FST_CHAT_${code}` })) as [object, object, object]
const unfinished: Amendment = { by: null, change: { end: true, unfinished: true } }

/** Checks that the text of a streaming entry grows, and that its stream ends. */
export async function streamsPromises (test: StoreSubtest): Promise<void> {
  await test('a streamed text grows by its appends until its end', async (open) => {
    const one = await open()
    const draft = says('', { from: ada, data: '{"a":1}', streaming: true, key: 'k', hash: 'h' })
    const { again, ...cursor } = await one.append('a', draft)
    const read = async () => {
      const { entries, head } = await one.read('a', all)
      assert.deepEqual(await one.get('a', cursor.position), entries[0])
      return { entry: entries[0], change: head.change }
    }
    const plain = { ...cursor, from: ada, data: '{"a":1}' }
    const { entry, change: beginning } = await read()
    assert.deepEqual([again, entry], [false, { ...plain, body: '', streaming: true }], 'without a revision')
    let body = ''
    for (const [i, text] of ['grüße 👋', '\u0000\n', ' "\u2028', 'x'.repeat(20_000)].entries()) {
      const { number, revision, again } = await one.amend('a', cursor.position, append(text, [...body].length))
      body += text
      assert.deepEqual([number, again], [i + 1, false])
      assert.deepEqual(await read(), { entry: { ...plain, body, revision, streaming: true }, change: { number, revision } })
    }
    const { number, revision } = await one.amend('a', cursor.position, end)
    assert.deepEqual([number, await read()], [5, { entry: { ...plain, body, revision }, change: { number, revision } }])
    const { again: isKnown, ...known } = await one.append('a', draft)
    assert.deepEqual([isKnown, known.position, (await read()).entry?.body], [true, cursor.position, body], 'a repeated beginning does not begin it again')
    const { changed } = await one.read('a', { ...all, after: cursor.position, revision: beginning.revision })
    assert.deepEqual(changed, [(await read()).entry])
  })

  await test('a stream that ends before its text is complete is unfinished, also after changes', async (open) => {
    const one = await open()
    const position = await begin(one, 'a', 'so far')
    assert.equal((await one.amend('a', position, unfinished)).again, false)
    const { streaming, unfinished: isUnfinished, body } = (await one.get('a', position))!
    assert.deepEqual([body, streaming, isUnfinished], ['so far', undefined, true])
    for (const amendment of [react('👍', 'ada'), edit('edited')]) {
      await one.amend('a', position, amendment)
      assert.equal((await one.get('a', position))!.unfinished, true)
    }
    const { revision } = await one.amend('a', position, deletion)
    const { offset, at } = (await one.get('a', position))!
    assert.deepEqual(await one.get('a', position), { offset, position, at, from: null, body: '', revision, deleted: true })
  })

  await test('an append that the text has already, or of no text, resolves with again', async (open) => {
    const one = await open()
    const position = await begin(one, 'a', 'a👋')
    const repeat = async (text: string, at: number) => {
      const before = await one.read('a', all)
      const { again, ...change } = await one.amend('a', position, append(text, at))
      assert.deepEqual([again, await one.read('a', all)], [true, before], text)
      return change
    }
    assert.deepEqual(await repeat('👋', 1), (await one.read('a', all)).head.change, 'of an entry that never changed: the head')
    assert.deepEqual(await repeat('', 2), (await one.read('a', all)).head.change)
    const { number, revision } = await one.amend('a', position, append('bc', 2))
    const [other] = await fill(one, 'a', 1)
    await one.amend('a', other!, edit('y'))
    for (const [text, at] of [['bc', 2], ['b', 2], ['c', 3], ['a👋bc', 0], ['👋b', 1], ['', 4], ['', 2]] as const) {
      assert.deepEqual(await repeat(text, at), { number, revision }, text)
    }
    const last = await one.amend('a', position, end)
    for (const [text, at] of [['bc', 2], ['a', 0]] as const) {
      assert.deepEqual(await repeat(text, at), { number: last.number, revision: last.revision }, 'after the end')
    }
  })

  await test('an append anywhere but at the end of the text is INVALID_CHANGE', async (open) => {
    const one = await open()
    const position = await begin(one, 'a', 'a👋b')
    const before = await one.read('a', all)
    for (const [text, at] of [['x', 4], ['x', 1e9], ['', 4], ['x', 0], ['b', 1], ['bc', 2], ['👋b ', 1]] as const) {
      await assert.rejects(one.amend('a', position, append(text, at)), invalid, `'${text}' at ${at}`)
    }
    assert.deepEqual(await one.read('a', all), before)
    assert.equal((await one.amend('a', position, append('c', 3))).again, false, 'a surrogate pair is one code point')
    assert.equal((await one.get('a', position))!.body, 'a👋bc')
  })

  await test('a streamed text has at most MAX_STREAM_BYTES', async (open) => {
    const one = await open()
    const position = await begin(one, 'a', 'ü')
    const piece = 'ü'.repeat(1_000)
    let length = 1
    for (; 2 * (length + 1_000) <= MAX_STREAM_BYTES; length += 1_000) await one.amend('a', position, append(piece, length))
    await assert.rejects(one.amend('a', position, append(piece, length)), invalid)
    const left = MAX_STREAM_BYTES - 2 * length
    await assert.rejects(one.amend('a', position, append('x'.repeat(left + 1), length)), invalid)
    await one.amend('a', position, append('x'.repeat(left), length))
    await assert.rejects(one.amend('a', position, append('x', length + left)), invalid)
    assert.equal((await one.amend('a', position, append('', length + left))).again, true)
    await one.amend('a', position, end)
    assert.equal(Buffer.byteLength((await one.get('a', position))!.body as string), MAX_STREAM_BYTES)
  })

  await test('a streaming entry can be reacted to and deleted, but not edited before its end', async (open) => {
    const one = await open()
    const [kept, removed] = [await begin(one, 'a', 'text'), await begin(one, 'a', 'text')] as const
    await assert.rejects(one.amend('a', kept, edit('edited')), invalid)
    await assert.rejects(one.amend('a', kept, edit('text')), invalid, 'to the same text')
    await one.amend('a', kept, react('👍', 'ada'))
    await one.amend('a', kept, append('!', 4))
    const { reactions, streaming, editedAt, body } = (await one.get('a', kept))!
    assert.deepEqual([reactions, streaming, editedAt, body], [[{ reaction: '👍', count: 1 }], true, undefined, 'text!'])
    await one.amend('a', kept, end)
    assert.deepEqual((await one.get('a', kept))!.reactions, reactions)
    await one.amend('a', kept, edit('edited'))
    assert.equal((await one.get('a', kept))!.body, 'edited')

    const { revision } = await one.amend('a', removed, deletion)
    const { offset, at } = (await one.get('a', removed))!
    assert.deepEqual(await one.get('a', removed), { offset, position: removed, at, from: null, body: '', revision, deleted: true })
    for (const amendment of [append('!', 4), append('', 0), append('text', 0), end, idleEnd(0)]) await assert.rejects(one.amend('a', removed, amendment), deleted)
    assert.equal((await one.amend('a', removed, deletion)).again, true)
  })

  await test('a change of a streaming entry is rejected with the first error that applies', async (open) => {
    const one = await open()
    const { position } = await one.append('a', says('x', { from: ada, streaming: true }))
    const [plain] = await fill(one, 'a', 1)
    const { position: binary } = await one.append('a', says(Uint8Array.of(1)))
    const { position: over } = await one.append('a', says('x', { streaming: true }))
    await one.amend('a', over, end)
    const before = await one.read('a', all)
    const cases: Array<[position: string, amendment: Amendment, code: string]> = [
      ['x', append('y', 1), 'NOT_KEPT'],
      [position, { ...append('y', 1), own: 'bob' }, 'FORBIDDEN'],
      [position, { ...append('x', 0), own: 'bob' }, 'FORBIDDEN'],
      [position, { ...end, own: 'bob' }, 'FORBIDDEN'],
      [plain!, append('y', 1), 'STREAM_ENDED'],
      [plain!, append('y', 9), 'STREAM_ENDED'],
      [binary, append('y', 1), 'STREAM_ENDED'],
      [over, append('y', 1), 'STREAM_ENDED'],
      [over, append('', 1), 'STREAM_ENDED']
    ]
    for (const [at, amendment, code] of cases) await assert.rejects(one.amend('a', at, amendment), { code: `FST_CHAT_${code}` }, JSON.stringify(amendment))
    await assert.rejects(one.append('a', says(Uint8Array.of(1), { streaming: true })), { code: 'FST_CHAT_INVALID_ARGUMENT' }, 'bytes')
    assert.deepEqual(await one.read('a', all), before)
    await one.amend('a', position, { ...append('y', 1), by: 'ada', own: 'ada' })
  })

  await test('an end of an entry that is not streaming resolves with again', async (open) => {
    const one = await open()
    const [plain, complete, incomplete] = [(await fill(one, 'a', 1))[0]!, await begin(one, 'a'), await begin(one, 'a')] as const
    await one.amend('a', complete, end)
    const { number, revision } = await one.amend('a', incomplete, unfinished)
    const before = await one.read('a', all)
    for (const position of [plain, complete, incomplete]) {
      for (const amendment of [end, unfinished, idleEnd(0)]) assert.equal((await one.amend('a', position, amendment)).again, true)
    }
    assert.deepEqual(await one.amend('a', incomplete, end), { number, revision, again: true })
    assert.deepEqual(await one.read('a', all), before, 'also if the repeat has another result')
  })

  await test('an idle end has an effect on a stream that was not renewed for so long', async (open) => {
    const one = await open()
    for (const [i, renewal] of [append('', 1), append('y', 1)].entries()) {
      let isRenewed = false
      for (let idle = 10; !isRenewed && idle < 20_000; idle *= 2) {
        // The clock begins last: when it is idle, the others are.
        const [streams, clock] = [await Promise.all(upTo(2).map(() => begin(one, 'a', 'x'))), await begin(one, 'a', 'x')]
        assert.deepEqual((await one.amend('a', clock, idleEnd(1e9))).again, true, 'not idle for so long')
        // The store's clock moves on by itself.
        while ((await one.amend('a', clock, idleEnd(idle))).again) await tick()
        const { again, ...before } = await one.amend('a', streams[0]!, renewal)
        const { head } = await one.read('a', all)
        assert.equal(again, i === 0)
        if (again) assert.deepEqual(before, head.change)
        // If the renewal has an effect, the first call comes too early for it, and the second one doesn't; unless the machine is slow.
        isRenewed = (await one.amend('a', streams[0]!, idleEnd(idle))).again
        assert.equal((await one.amend('a', streams[1]!, idleEnd(idle))).again, false)
        const { unfinished, streaming } = (await one.get('a', streams[1]!))!
        assert.deepEqual([unfinished, streaming], [true, undefined])
      }
      assert.ok(isRenewed, JSON.stringify(renewal.change))
    }
    const position = await begin(one, 'a', 'x')
    assert.equal((await one.amend('a', position, idleEnd(0))).again, false)
    await assert.rejects(one.amend('a', position, append('y', 1)), ended)
  })

  await test('a repeat of a beginning or an append does not renew a stream', async (open) => {
    const one = await open()
    const draft = says('x', { streaming: true, key: 'k' })
    const { position } = await one.append('a', draft)
    // The clock begins last: when it is idle, the stream is.
    const clock = await begin(one, 'a')
    while ((await one.amend('a', clock, idleEnd(50))).again) await tick()
    assert.equal((await one.append('a', draft)).again, true)
    for (const repeat of [append('x', 0), append('', 0)]) assert.equal((await one.amend('a', position, repeat)).again, true)
    assert.equal((await one.amend('a', position, idleEnd(50))).again, false)
  })

  await test('a streaming entry that is removed is NOT_KEPT', async (open) => {
    const one = await open({ historyEntries: 20 })
    const trimmed = await begin(one, 'a', 'x')
    const cleared = await begin(one, 'b', 'x')
    for (let i = 0; await one.get('a', trimmed) !== undefined; i++) {
      assert.equal(i < 10_000, true)
      await fill(one, 'a', 1)
    }
    await one.clear('b')
    for (const [room, position] of [['a', trimmed], ['b', cleared]] as const) {
      for (const amendment of [append('y', 1), append('', 1), append('x', 0), end, idleEnd(0)]) {
        await assert.rejects(one.amend(room, position, amendment), { code: 'FST_CHAT_NOT_KEPT' })
      }
    }
  })
}
