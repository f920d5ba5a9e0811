import assert from 'node:assert/strict'
import type { Amended } from '../../change.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, bodies, deletion, edit, fill, react, says, upTo } from './entries.ts'
import { Follower } from './follower.ts'

/** Checks that an edit is made once. */
export async function changesDeduplicationPromises (test: StoreSubtest): Promise<void> {
  await test('a known key returns the cursor of its edit', async (open) => {
    const one = await open()
    for (const [i, key] of ['k', 'member id', '__proto__', 'ü\u0000', 'x'.repeat(500)].entries()) {
      const room = `room${i}`
      const [position] = await fill(one, room, 2)
      const keyed = edit('first', { key, hash: 'h' })
      assert.equal(await one.findChange(room, key), undefined)
      const { number, revision, again } = await one.amend(room, position!, keyed)
      assert.equal(again, false)
      await one.amend(room, position!, edit('second'))
      const repeat = await one.amend(room, position!, { ...keyed, since: 'any' })
      assert.deepEqual(repeat, { number, revision, again: true }, 'with any since')
      assert.deepEqual(await one.findChange(room, key), { number, revision })
      assert.equal(await one.findChange(room, `${key}2`), undefined)
      assert.equal(await one.findChange('elsewhere', key), undefined, 'the key is known in its room only')
      await assert.rejects(one.amend(room, position!, { ...keyed, hash: 'other' }), { code: 'FST_CHAT_REUSED' })
      assert.deepEqual(bodies(await one.read(room, all)), ['second', 'x'])
    }
  })

  await test('a repeat is known although its entry is deleted or is not kept', async (open) => {
    const one = await open({ historyEntries: 3 })
    const [first, second] = await fill(one, 'a', 2)
    const keyed = (key: string) => edit(key, { key, hash: 'h' })
    const made = [await one.amend('a', first!, keyed('1')), await one.amend('a', second!, keyed('2'))]
    await one.amend('a', second!, deletion)
    assert.deepEqual(await one.amend('a', second!, keyed('2')), { ...made[1], again: true }, 'deleted')
    while (await one.get('a', first!) !== undefined) await fill(one, 'a', 1)
    assert.deepEqual(await one.amend('a', first!, keyed('1')), { ...made[0], again: true }, 'not kept')
    assert.deepEqual(await one.amend('a', 'nonsense', { ...keyed('1'), own: 'nobody' }), { ...made[0], again: true }, 'before all other checks')
  })

  await test('simultaneous repeats of an edit are made and delivered once', async (open) => {
    const one = await open()
    const [position] = await fill(one, 'a', 1)
    const follower = await Follower.of(one, 'a')
    const changes = await Promise.all(upTo(60).map((i) => one.amend('a', position!, edit(`${i % 3}`, { key: `${i % 3}`, hash: 'h' }))))
    assert.equal(changes.filter(({ again }) => !again).length, 3)
    assert.equal(new Set(changes.map(({ revision }) => revision)).size, 3)
    await one.append('a', says('end'))
    await follower.has('end')
    assert.deepEqual(follower.changes.map(({ made }) => made !== undefined && 'edit' in made && made.edit.body), ['1', '2', '0'])
    assert.deepEqual(bodies(await one.read('a', all)), ['0', 'end'])
  })

  await test('keys of edits are apart from those of posts', async (open) => {
    const one = await open({ historyEntries: 5, dedupWindow: 1 })
    const { position } = await one.append('a', says('post', { key: 'k', hash: 'h' }))
    assert.equal((await one.amend('a', position, edit('edit', { key: 'k', hash: 'other' }))).again, false)
    assert.equal((await one.append('a', says('post', { key: 'k', hash: 'h' }))).again, true)
    assert.equal((await one.amend('a', position, edit('edit', { key: 'k', hash: 'other' }))).again, true)
    assert.equal(await one.findChange('a', 'new'), undefined)
    for (const i of upTo(200)) await one.amend('a', position, react(`${i % 2}`, `${i}`))
    for (const i of upTo(200)) await one.amend('a', position, edit(`${i}`, { key: `${i}`, hash: 'h' }))
    assert.equal((await one.append('a', says('post', { key: 'k', hash: 'h' }))).again, true, 'changes do not displace the keys of posts')
  })

  await test('a repeat of an edit without an effect does not undo a later edit', async (open) => {
    const one = await open()
    const [position, second] = await fill(one, 'a', 2)
    const { revision: since } = await one.read('a', all)
    const equal = edit('x', { key: 'k', hash: 'h' })
    assert.equal((await one.amend('a', position!, equal)).again, true)
    assert.notEqual(await one.findChange('a', 'k'), undefined)
    await one.amend('a', position!, edit('later'))
    assert.equal((await one.amend('a', position!, { ...equal, since })).again, true)
    assert.deepEqual(bodies(await one.read('a', all)), ['later', 'x'])
    await assert.rejects(one.amend('a', position!, { ...equal, hash: 'other' }), { code: 'FST_CHAT_REUSED' })
    await Promise.all(upTo(1_500).map((i) => one.amend('a', second!, edit('x', { key: `${i}`, hash: 'h' }))))
    await one.amend('a', second!, edit('later'))
    const repeats = await Promise.all(upTo(1_500).map((i) => one.amend('a', second!, edit('x', { key: `${i}`, hash: 'h', since }))))
    assert.ok(repeats.every(({ again }) => again), 'of many, too')
    assert.deepEqual(bodies(await one.read('a', all)), ['later', 'later'])
  })

  await test('an edit whose key may have been forgotten is STALE; any other is made', async (open) => {
    const one = await open({ historyEntries: 2, dedupWindow: 1 })
    const beginning = (await one.read('a', all)).revision
    const [position] = await fill(one, 'a', 1)
    const changes: Amended[] = []
    const keyed = async () => changes.push(await one.amend('a', position!, edit(`${changes.length}`, { key: `k${changes.length}`, hash: 'h' })))
    do await keyed(); while (changes.length < 3 || await one.findChange('a', 'k1') !== undefined)
    assert.equal(changes.length < 10_000, true)
    const { revision } = await one.read('a', all)
    const [other] = await fill(one, 'b', 1)
    const elsewhere = await one.amend('b', other!, edit('y'))
    const stale = { 'the beginning': beginning, 'before a forgotten one': changes[0]!.revision, "another room's": elsewhere.revision, 'a position': position!, nonsense: 'x', nothing: '' }
    for (const [title, since] of Object.entries(stale)) {
      await assert.rejects(one.amend('a', position!, edit('y', { key: 'k1', hash: 'h', since })), { code: 'FST_CHAT_STALE' }, `since ${title}`)
      await assert.rejects(one.amend('a', 'x', edit('y', { key: 'k1', hash: 'h', since })), { code: 'FST_CHAT_STALE' }, `since ${title}, of an entry that is not kept`)
    }
    assert.equal((await one.read('a', all)).revision, revision, 'it is not made')
    const made = await one.amend('a', position!, edit('new', { key: 'new', hash: 'h', since: revision }))
    assert.deepEqual([made.number, made.again], [changes.length + 1, false], 'since the newest revision it is made')
    assert.equal((await one.amend('a', position!, edit('new', { key: 'new', hash: 'h', since: beginning }))).again, true, 'a known key is never STALE')
  })

  await test('a repeat after a lost acknowledgement changes nothing', async (open) => {
    const one = await open()
    const [position] = await fill(one, 'a', 1)
    for (const amendment of [edit('edited', { key: 'k', hash: 'h' }), react('👍', 'ada'), react('👍', 'ada', false), deletion]) {
      const { number, revision } = await one.amend('a', position!, amendment)
      const before = await one.read('a', all)
      assert.deepEqual(await one.amend('a', position!, amendment), { number, revision, again: true })
      assert.deepEqual(await one.read('a', all), before)
    }
  })
}
