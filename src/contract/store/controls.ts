import assert from 'node:assert/strict'
import type { StoreSubtest } from './bounds.ts'
import { all, deletion, edit, fill, numbers, react, reauthorization, removal, says, summary, upTo } from './entries.ts'

/** Checks `control`. */
export async function controlsPromises (test: StoreSubtest): Promise<void> {
  await test('a control has a number among the changes of its room, and changes no entry', async (open) => {
    const one = await open()
    const [first, second] = await fill(one, 'a', 2)
    await fill(one, 'b', 1)
    const made = [
      await one.amend('a', first!, edit('edited')),
      await one.control('a', removal('ada', 'reason')),
      await one.control('a', removal('ada', 'reason')),
      await one.control('a', { reauthorize: { member: 'bob' } }),
      await one.amend('a', second!, react('👍', 'ada')),
      await one.control('a', reauthorization)
    ]
    assert.deepEqual(made.map(({ number }) => number), upTo(6))
    assert.equal(new Set(made.map(({ revision }) => revision)).size, 6)
    const { entries, head, revision } = await one.read('a', all)
    assert.deepEqual([head.offset, head.change, revision], [2, made[5], made[5]!.revision])
    assert.deepEqual(Object.keys(made[5]!).toSorted(), ['number', 'revision'])
    assert.deepEqual(entries.map(({ revision }) => revision), [made[0]!.revision, made[4]!.revision])
    assert.equal((await one.read('b', all)).head.change.number, 0)
    assert.deepEqual(await one.amend('a', second!, react('👍', 'ada')), { ...made[4], again: true })
  })

  await test('a resume from before, from or after a control is complete, and has no control', async (open) => {
    const one = await open()
    const beginning = (await one.read('a', all)).head
    const positions = await fill(one, 'a', 3)
    const made = [
      beginning.change,
      await one.control('a', removal('ada')),
      await one.amend('a', positions[0]!, edit('edited')),
      await one.control('a', reauthorization),
      await one.control('a', removal('bob')),
      await one.amend('a', positions[2]!, deletion),
      await one.amend('a', positions[1]!, edit('edited')),
      await one.control('a', removal('ada'))
    ]
    const changedAfter = [[1, 3, 2], [1, 3, 2], [3, 2], [3, 2], [3, 2], [2], [], []]
    for (const [i, { revision }] of made.entries()) {
      const page = await one.read('a', { ...all, after: positions[2]!, revision })
      assert.deepEqual([page.complete, numbers({ entries: page.changed }), page.revision, page.moreChanged, 'oldest' in page],
        [true, changedAfter[i], made[7]!.revision, false, false], `after change ${i}`)
      const folded = await one.read('a', { ...all, after: beginning.position, revision })
      assert.deepEqual([folded.complete, numbers(folded), folded.changed, folded.revision], [true, [1, 2, 3], [], made[7]!.revision])
    }
    const first = await one.read('a', { ...all, limit: 1, after: positions[2]!, revision: made[0]!.revision })
    assert.deepEqual([numbers({ entries: first.changed }), first.revision, first.moreChanged], [[1], made[2]!.revision, true])
    const none = await one.read('a', { ...all, limit: 0, after: positions[2]!, revision: made[4]!.revision })
    assert.deepEqual([none.changed, none.revision, none.moreChanged], [[], made[4]!.revision, true])
  })

  await test('a control creates a room that is not kept', async (open) => {
    const one = await open()
    const { number, revision } = await one.control('a', removal('ada'))
    assert.equal(number, 1)
    const names: string[] = []
    for await (const page of one.rooms()) names.push(...page)
    assert.deepEqual(names, ['a'])
    const { head } = await one.read('a', all)
    assert.deepEqual([head.offset, head.change], [0, { number, revision }])
    assert.equal((await one.append('a', says('x'))).offset, 1)
    const page = await one.read('a', { ...all, after: head.position, revision })
    assert.deepEqual([summary(page), page.changed, page.revision], [{ complete: true, numbers: [1], more: false }, [], revision])
    assert.equal((await one.control('a', removal('ada'))).number, 2)
  })

  await test('controls are bounded as changes are, the newest is always remembered, and no entry is removed', async (open) => {
    const one = await open({ historyEntries: 3, dedupWindow: 1 })
    const positions = await fill(one, 'a', 3)
    const read = (revision: string) => one.read('a', { ...all, after: positions[2]!, revision })
    const first = await one.control('a', removal('ada'))
    const edited = await one.amend('a', positions[0]!, edit('edited', { key: 'k', hash: 'h' }))
    assert.equal((await read(first.revision)).complete, true)
    let newest = edited.number
    for (let i = 0; (await read(first.revision)).complete; i++) {
      assert.equal(i < 10_000, true)
      for (let n = 0; n < 20; n++) {
        const control = await one.control('a', removal('ada'))
        assert.equal(control.number, ++newest)
        const page = await read(control.revision)
        assert.deepEqual([page.complete, page.changed, page.revision], [true, [], control.revision])
      }
    }
    const { entries } = await one.read('a', all)
    assert.deepEqual(entries.map(({ body }) => body), ['edited', 'x', 'x'])
    assert.equal(entries[0]!.revision, edited.revision)
    // A key that is forgotten with its change is stale, never new.
    const repeat = one.amend('a', positions[0]!, edit('edited', { key: 'k', hash: 'h', since: first.revision }))
    await repeat.then(({ again }) => assert.equal(again, true), (error: { code?: string }) => assert.equal(error.code, 'FST_CHAT_STALE'))
  })

  await test('an edit that was first sent at the revision of a control is made once', async (open) => {
    const one = await open()
    const [position] = await fill(one, 'a', 1)
    const { revision: since } = await one.control('a', reauthorization)
    const keyed = edit('edited', { key: 'k', hash: 'h', since })
    const edited = await one.amend('a', position!, keyed)
    await one.control('a', removal('ada'))
    assert.deepEqual([edited.number, await one.amend('a', position!, keyed)], [2, { ...edited, again: true }])
    assert.deepEqual(await one.findChange('a', 'k'), { number: 2, revision: edited.revision })
  })

  await test('clearing a room forgets its controls', async (open) => {
    const one = await open()
    const [first] = await fill(one, 'a', 1)
    const before = [await one.control('a', removal('ada')), await one.control('a', reauthorization)]
    await one.clear('a')
    const cleared = (await one.read('a', all)).head
    const [position] = await fill(one, 'a', 1)
    const after = [await one.control('a', removal('ada')), await one.control('a', reauthorization), await one.control('a', removal('ada'))]
    assert.deepEqual(after.map(({ number }) => number - cleared.change.number), upTo(3))
    for (const { revision } of before) assert.equal((await one.read('a', { ...all, after: position!, revision })).complete, false)
    for (const { revision } of [cleared.change, ...after]) assert.equal((await one.read('a', { ...all, after: position!, revision })).complete, true)
    assert.equal(await one.get('a', first!), undefined)
  })
}
