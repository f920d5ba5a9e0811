import assert from 'node:assert/strict'
import { setImmediate as tick } from 'node:timers/promises'
import type { StoreSubtest } from './bounds.ts'
import { all, deletion, edit, fill, react, says, upTo } from './entries.ts'
import { Follower } from './follower.ts'
import { MixedLoad } from './mixed-load.ts'
import { View } from './view.ts'

/** Checks that followers receive changes. */
export async function changesFeedPromises (test: StoreSubtest): Promise<void> {
  await test('a follower receives each change after its head once, in order, after its entry', async (open) => {
    const one = await open()
    const [first] = await fill(one, 'a', 2)
    await one.amend('a', first!, edit('before'))
    const follower = await Follower.of(one, 'a')
    const second = await Follower.of(one, 'a')
    assert.deepEqual(follower.feed.head, (await one.read('a', all)).head)
    const { position } = await one.append('a', says('third', { from: { id: 'ada', name: '' } }))
    const made = [
      await one.amend('a', first!, react('👍', 'ada')),
      await one.amend('a', position, edit('edited', { by: 'ada', own: 'ada' }, '1')),
      await one.amend('a', position, react('👍', 'ada')),
      await one.amend('a', position, react('👍', 'bob')),
      await one.amend('a', position, react('👍', 'ada', false)),
      await one.amend('a', position, deletion)
    ]
    await one.amend('a', position, deletion)
    await one.append('b', says('x'))
    await one.append('a', says('end'))
    await Promise.all([follower.has('end'), second.has('end')])
    const { changes } = follower
    assert.deepEqual(changes.map(({ change }) => change), made.map(({ number, revision }) => ({ number, revision })))
    assert.deepEqual(changes.map(({ offset, position }) => [offset, position]), [[1, first], ...upTo(5).map(() => [3, position])])
    assert.deepEqual(changes.map((changed) => changed.made && [changed.by, changed.made, 'count' in changed ? changed.count : undefined]), [
      ['ada', { react: '👍', on: true }, 1],
      ['ada', { edit: { body: 'edited', data: '1' } }, undefined],
      ['ada', { react: '👍', on: true }, 1],
      ['bob', { react: '👍', on: true }, 2],
      ['ada', { react: '👍', on: false }, 1],
      [null, { delete: true }, undefined]
    ])
    const times = changes.map(({ at }) => at)
    assert.deepEqual(times, times.toSorted((a, b) => a - b))
    for (const { entries, changes, head } of follower.pages) {
      if (entries.length > 0) assert.equal(head.offset, entries.at(-1)!.offset)
      if (changes.length > 0) assert.deepEqual(head.change, changes.at(-1)!.change)
    }
    assert.deepEqual(second.changes, changes)
    const { entries, head } = await one.read('a', all)
    assert.deepEqual(follower.pages.at(-1)!.head, head)
    assert.deepEqual(follower.viewAfter(new View()).entries, entries.slice(2), 'entries with their changes are equal to those that are read')
  })

  await test('a follower that joins under a load of posts and changes reaches the state that is read', async (open) => {
    const one = await open()
    const load = new MixedLoad('a')
    await load.run(one, 20)
    const joined: Array<Promise<{ follower: Follower, page: Awaited<ReturnType<typeof one.read>> }>> = []
    const join = async () => {
      const follower = await Follower.of(one, 'a')
      return { follower, page: await one.read('a', all) }
    }
    const calls: Array<Promise<unknown>> = []
    for (const round of upTo(40)) {
      for (const i of upTo(17)) {
        calls.push(load.next(one))
        if (i === 1 + round % 17) joined.push(join())
      }
      if (round % 2 === 0) queueMicrotask(() => joined.push(join()))
      if (round % 3 === 0) process.nextTick(() => joined.push(join()))
      if (round % 4 === 0) await calls.at(-1)
      else await tick()
    }
    await Promise.all(calls)
    const followers = await Promise.all(joined)
    await one.append('a', says('end'))
    const { entries, head } = await one.read('a', all)
    assert.equal(head.change.number > 100, true)
    assert.equal(followers.length, 40 + 20 + 13)
    for (const { follower, page } of followers) {
      await follower.has('end')
      const numbers = follower.changes.map(({ change }) => change.number)
      assert.ok(numbers.every((number, i) => number > (numbers[i - 1] ?? follower.feed.head.change.number)), 'numbers rise')
      const changed = follower.changes.filter(({ change }) => change.number > page.head.change.number)
      const view = new View([...page.entries, ...follower.entries.filter(({ offset }) => offset > page.head.offset)])
      for (const change of changed) view.change(change)
      assert.deepEqual(view.entries, entries)
      assert.deepEqual(follower.pages.at(-1)!.head, head)
    }
  })

  await test('a page is never older than a change that was acknowledged or delivered', async (open) => {
    const one = await open()
    const [position] = await fill(one, 'a', 1)
    const reads: Array<Promise<boolean>> = []
    const isRead = async (number: number) => {
      const [{ head, entries }, entry] = await Promise.all([one.read('a', { ...all, limit: 1 }), one.get('a', position!)])
      return head.change.number >= number && numberOf(entries[0]!.body) >= number && numberOf(entry!.body) >= number
    }
    // The body of edit n is the number n, because the edits of one node are numbered in the order of its calls.
    const numberOf = (body: unknown) => Number(body)
    const follower = await Follower.of(one, 'a', ({ head }) => reads.push(isRead(head.change.number)))
    await Promise.all(upTo(200).map(async (i) => {
      const { number } = await one.amend('a', position!, edit(`${i}`))
      assert.equal(number, i)
      reads.push(isRead(number))
    }))
    await follower.until(() => follower.pages.at(-1)?.head.change.number === 200)
    assert.equal((await Promise.all(reads)).every((newer) => newer), true)
  })

  await test('changes are never delivered inside amend or inside another delivery', async (open) => {
    const one = await open()
    const [position] = await fill(one, 'a', 1)
    const failures: unknown[] = []
    let inside = 0
    let deepest = 0
    const amend = (body: string) => {
      inside++
      const changed = one.amend('a', position!, edit(body))
      inside--
      return changed
    }
    const follower = await Follower.of(one, 'a', ({ changes }) => {
      deepest = Math.max(deepest, inside)
      inside++
      for (const { change: { number } } of changes) if (number < 100) amend(`${number + 1}`).catch((error) => failures.push(error))
      inside--
    })
    await amend('1')
    await follower.until(() => follower.changes.length === 100)
    assert.deepEqual(failures, [])
    assert.equal(deepest, 0)
    assert.deepEqual(follower.changes.map(({ change }) => change.number), upTo(100))
  })

  await test('a delivered page does not change when its entries change', async (open) => {
    const one = await open()
    const follower = await Follower.of(one, 'a')
    const [position] = await fill(one, 'a', 1, 'as it was')
    await one.amend('a', position!, react('👍', 'ada'))
    await follower.until(() => follower.changes.length === 1)
    const before = structuredClone(follower.pages)
    const page = await one.read('a', all)
    const copy = structuredClone(page)
    await one.amend('a', position!, react('👍', 'bob'))
    await one.amend('a', position!, deletion)
    await follower.until(() => follower.changes.length === 3)
    assert.deepEqual(follower.pages.slice(0, before.length), before)
    assert.deepEqual(page, copy)
  })

  await test('followers of a cleared room receive its new changes from number 1 on', async (open) => {
    const one = await open()
    const follower = await Follower.of(one, 'a')
    const [position] = await fill(one, 'a', 1)
    await one.amend('a', position!, edit('before'))
    await one.amend('a', position!, edit('before the clear'))
    const old = await one.read('a', all)
    await one.clear('a')
    await assert.rejects(one.amend('a', position!, edit('y')), { code: 'FST_CHAT_NOT_KEPT' })
    const { position: next } = await one.append('a', says('x'))
    const { number, revision } = await one.amend('a', next, edit('after'))
    assert.equal(number, 1)
    await follower.until(() => follower.pages.at(-1)?.head.change.revision === revision)
    assert.equal(follower.pages.some(({ complete }) => !complete), true)
    assert.deepEqual(follower.viewAfter(new View()).entries, (await one.read('a', all)).entries)
    await one.amend('a', next, edit('again'))
    assert.equal((await one.read('a', { ...all, after: next, revision: old.revision })).complete, false, 'a revision of the earlier epoch, also when its number is reached again')
  })
}
