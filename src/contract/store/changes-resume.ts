import assert from 'node:assert/strict'
import { setImmediate as tick } from 'node:timers/promises'
import type { Position, Store } from '../../store.ts'
import type { Revision } from '../../change.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, cursor, deletion, edit, fill, numbers, react, says, upTo } from './entries.ts'
import { Follower } from './follower.ts'
import { forged, renumbered } from './forged-positions.ts'
import { MixedLoad } from './mixed-load.ts'
import { View } from './view.ts'

/** Reads on from a position and a revision, by pages, until the view is up to date. Resolves with the number of pages. */
async function resume (store: Store, room: string, view: View, position: Position, revision: Revision, limit: number): Promise<number> {
  for (let pages = 1; pages < 500; pages++) {
    const page = await store.read(room, { limit, maxBytes: 1_000_000, after: position, revision })
    assert.equal(page.complete, true)
    assert.equal(page.entries.length <= limit && page.changed.length <= limit, true)
    assert.equal(page.moreChanged, page.revision !== page.head.change.revision)
    const changed = page.changed.map((entry) => entry.revision)
    assert.equal(new Set(changed).size, changed.length, 'an entry is in a page once')
    view.read(page)
    position = page.more ? page.entries.at(-1)!.position : page.head.position
    revision = page.revision
    if (!page.more && !page.moreChanged) return pages
  }
  throw new Error('resuming does not end')
}

/** Checks that a reader of positions and revisions misses no change. */
export async function changesResumePromises (test: StoreSubtest): Promise<void> {
  await test('from every position and revision of a run, pages lead to the state that is read', async (open) => {
    const one = await open()
    const follower = await Follower.of(one, 'a')
    await new MixedLoad('a', 4).run(one, 60)
    await one.append('a', says('end'))
    const { entries: final, head } = await one.read('a', all)
    await follower.has('end')
    const { entries, changes, feed } = follower
    assert.equal(entries.length > 15 && changes.length > 15, true)
    const reads: Array<Promise<unknown>> = []
    for (const [i, { position }] of [feed.head, ...entries].entries()) {
      for (const [j, { revision }] of [feed.head.change, ...changes.map(({ change }) => change)].entries()) {
        const view = new View(entries.slice(0, i))
        for (const changed of changes.slice(0, j)) view.change(changed)
        const limit = 1 + (i + j) % 3
        reads.push(resume(one, 'a', view, position, revision, limit).then((pages) => {
          assert.deepEqual(view.entries, final, `from entry ${i} and change ${j}`)
          assert.equal(pages <= Math.ceil(entries.length / limit) + 1, true)
        }))
      }
      await Promise.all(reads)
    }
    assert.deepEqual(await one.read('a', { ...all, after: head.position, revision: head.change.revision }), {
      entries: [], complete: true, more: false, head, changed: [], moreChanged: false, revision: head.change.revision
    })
  })

  await test('changed entries are returned in the order of their last change, within the bounds', async (open) => {
    const one = await open()
    const { change: { revision } } = (await one.read('a', all)).head
    const positions = await fill(one, 'a', 5, 'é'.repeat(50))
    const read = (more: object = {}) => one.read('a', { ...all, after: positions[4]!, revision, ...more })
    assert.deepEqual((await read()).changed, [])
    for (const i of [3, 0, 3, 4, 1]) await one.amend('a', positions[i]!, react('👍', `${i}`))
    await one.amend('a', positions[3]!, deletion)
    const { changed, head } = await read()
    assert.deepEqual(numbers({ entries: changed }), [1, 5, 2, 4])
    assert.deepEqual(changed, await Promise.all([0, 4, 1, 3].map((i) => one.get('a', positions[i]!))), 'as they are now')
    const revisions = changed.map((entry) => entry.revision!)
    const cases: Array<[title: string, more: object, changed: number[], revision: string]> = [
      ['all', {}, [1, 5, 2, 4], head.change.revision],
      ['exactly all', { limit: 4 }, [1, 5, 2, 4], head.change.revision],
      ['a part', { limit: 3 }, [1, 5, 2], revisions[2]!],
      ['none of them', { limit: 0 }, [], revision],
      ['within bytes of content', { maxBytes: 270 }, [1, 5], revisions[1]!],
      ['one, even if larger than the bytes', { maxBytes: 1 }, [1], revisions[0]!],
      ['after another revision', { revision: revisions[1] }, [2, 4], head.change.revision],
      ['after the newest', { revision: revisions[3] }, [], head.change.revision],
      ['up to an entry', { after: positions[1] }, [1, 2], head.change.revision],
      ['up to the first entry', { after: positions[0], limit: 1 }, [1], head.change.revision]
    ]
    for (const [title, more, expected, reached] of cases) {
      const page = await read(more)
      assert.deepEqual([page.complete, numbers({ entries: page.changed }), page.revision, page.moreChanged, page.oldest],
        [true, expected, reached, reached !== head.change.revision, undefined], title)
      assert.equal('oldest' in page, false)
    }
    for (const query of [all, { ...all, after: positions[4]! }, { ...all, before: positions[4]! }]) {
      const page = await one.read('a', query)
      assert.deepEqual([page.changed, page.moreChanged, page.revision], [[], false, head.change.revision], 'without a revision')
    }
    assert.deepEqual((await read({ for: '1' })).changed.map(({ reactions }) => reactions?.[0]?.mine), [undefined, undefined, true, undefined])
    assert.deepEqual((await read({ after: positions[0], for: '1', limit: 1 })).entries[0]!.reactions, [{ reaction: '👍', count: 1, mine: true }])
  })

  await test('the revision of a room without changes can be resumed from', async (open) => {
    const one = await open()
    const { head } = await one.read('a', all)
    const feed = await one.follow('b', () => {})
    assert.equal(feed.head.change.number, 0)
    for (const [room, before] of [['a', head], ['b', feed.head]] as const) {
      const [position] = await fill(one, room, 1)
      await one.amend(room, position!, edit('edited'))
      const page = await one.read(room, { ...all, after: position!, revision: before.change.revision })
      assert.deepEqual([page.complete, page.changed.map(({ body }) => body)], [true, ['edited']])
      const folded = await one.read(room, { ...all, after: before.position, revision: before.change.revision })
      assert.deepEqual([folded.complete, folded.changed, folded.entries.map(({ body }) => body)], [true, [], ['edited']], 'not as a change of an entry that is new')
    }
  })

  await test('a revision that is not remembered gives complete: false and the newest entries', async (open) => {
    const one = await open()
    const positions = await fill(one, 'a', 5)
    const changes = [await one.amend('a', positions[0]!, edit('1')), await one.amend('a', positions[1]!, edit('2')), await one.amend('a', positions[0]!, edit('3'))]
    const [other] = await fill(one, 'b', 1)
    const elsewhere = await one.amend('b', other!, edit('1'))
    const newest = changes[2]!.revision
    const wrong = [
      '', 'x', '../--c9', '\u0000', 'x'.repeat(128), ...positions, elsewhere.revision,
      renumbered(newest, 4), renumbered(newest, 1e15), newest.replace(/c(?=\d+$)/, ''), newest.replace(/c(?=\d+$)/, 'C'),
      ...[newest, changes[0]!.revision].flatMap(forgedRevisions)
    ]
    for (const revision of wrong) {
      const page = await one.read('a', { ...all, limit: 2, after: positions[4]!, revision })
      assert.deepEqual([page.complete, numbers(page), page.changed, page.moreChanged, page.revision], [false, [4, 5], [], false, newest], JSON.stringify(revision))
      await assert.rejects(one.amend('a', positions[0]!, edit('forged', { key: 'f', hash: 'h', since: revision })), { code: 'FST_CHAT_STALE' }, JSON.stringify(revision))
    }
    for (const { revision } of changes) {
      for (const query of [{ ...all, after: revision }, { ...all, before: revision }]) assert.equal((await one.read('a', query)).complete, false, 'a revision is no position')
    }
    assert.equal((await one.read('a', all)).revision, newest, 'nothing was changed')
    assert.equal((await one.read('a', { ...all, after: 'x', revision: newest })).complete, false, 'a position that is not honoured')
  })

  await test('the number of remembered changes is bounded; the newest one is always honoured', async (open) => {
    const one = await open({ historyEntries: 2, dedupWindow: 1 })
    const [position] = await fill(one, 'a', 1)
    const { revision: beginning } = await one.read('a', all)
    const read = (revision: string) => one.read('a', { ...all, after: position!, revision })
    const revisions = [beginning]
    do revisions.push((await one.amend('a', position!, edit(`${revisions.length}`))).revision); while ((await read(beginning)).complete)
    assert.equal(revisions.length < 10_000, true)
    assert.deepEqual([(await read(revisions.at(-1)!)).complete, (await read(revisions.at(-1)!)).changed], [true, []])
    const { complete, changed } = await read(revisions.at(-2)!)
    if (complete) assert.deepEqual(changed.map(({ body }) => body), [`${revisions.length - 1}`])
  })

  await test('a change of a kept entry is remembered for longer than dedupWindow', async (open) => {
    const one = await open({ historyEntries: 20, dedupWindow: 1 })
    const { revision: beginning } = await one.read('a', all)
    const [first, second] = await fill(one, 'a', 2)
    const keyed = edit('edited', { key: 'k', hash: 'h', since: beginning })
    const { number, revision } = await one.amend('a', first!, keyed)
    const { at } = (await one.get('a', second!))!
    // The store's clock moves on by itself.
    for (let now = at; now <= at + 5; now = (await one.get('b', (await fill(one, 'b', 1))[0]!))!.at) await tick()
    for (const i of upTo(5)) await one.amend('a', second!, react('👍', `${i}`))
    const { complete, changed } = await one.read('a', { ...all, after: second!, revision: beginning })
    assert.deepEqual([complete, numbers({ entries: changed })], [true, [1, 2]])
    assert.deepEqual(await one.amend('a', first!, keyed), { number, revision, again: true })
  })

  await test('if an entry that changed was removed, the page is complete and has the oldest kept position', async (open) => {
    const one = await open({ historyEntries: 20 })
    const { revision: before } = await one.read('a', all)
    const positions = await fill(one, 'a', 20)
    await one.amend('a', positions[0]!, edit('first'))
    const { revision: between } = await one.amend('a', positions[0]!, react('👍', 'ada'))
    const { revision: after } = await one.amend('a', positions[19]!, edit('kept'))
    const since = (revision: string) => one.read('a', { ...all, limit: 1, after: positions[19]!, revision })
    assert.equal('oldest' in await since(before), false, 'the entry is kept')
    for (let i = 0; await one.get('a', positions[0]!) !== undefined; i++) {
      assert.equal(i < 10_000, true)
      await fill(one, 'a', 1)
    }
    const [oldest] = (await one.read('a', all)).entries
    if (await one.get('a', positions[19]!) === undefined) return
    const page = await since(before)
    assert.deepEqual([page.complete, page.oldest, page.changed.map(({ body }) => body)], [true, oldest!.position, ['kept']])
    for (const revision of [between, after]) assert.equal('oldest' in await since(revision), false, 'it changed before that')
    await one.amend('a', positions[19]!, deletion)
    assert.equal((await since(before)).oldest, oldest!.position)
    assert.deepEqual(cursor((await since(after)).head), cursor((await one.read('a', all)).head))
  })

  await test('a history that is read while changes arrive, and the changes, lead to one state', async (open) => {
    const one = await open()
    const load = new MixedLoad('a', 9)
    await load.run(one, 30)
    const follower = await Follower.of(one, 'a')
    const pages: Array<ReturnType<Store['read']>> = []
    const calls: Array<Promise<unknown>> = []
    for (const limit of upTo(100)) {
      calls.push(load.next(one))
      pages.push(one.read('a', { ...all, limit }))
      calls.push(load.next(one))
    }
    await Promise.all(calls)
    await one.append('a', says('end'))
    await follower.has('end')
    const final = new Map((await one.read('a', all)).entries.map((entry) => [entry.offset, entry]))
    for (const { entries, head } of await Promise.all(pages)) {
      const view = new View(entries)
      for (const changed of follower.changes) if (changed.change.number > head.change.number) view.change(changed)
      assert.deepEqual(view.entries, entries.map(({ offset }) => final.get(offset)))
    }
  })
}

/** Returns strings that look like a revision and name no change. */
function forgedRevisions (revision: Revision): Revision[] {
  const [prefix, number] = revision.split(/(?=\d+$)/) as [string, string]
  return [
    ...forged(`${revision.replace(/c(?=\d+$)/, '')}`).filter((each) => each !== revision),
    ...['0x1', '-1', '+1', ' 1', '1 ', `0${number}`, `${number}.0`, `${number}e0`, '', 'NaN', '٣', '9'.repeat(16)].map((each) => prefix + each),
    ...[`${revision}-`, `-${revision}`, `${revision}\n`, ` ${revision}`, `x${revision}`, revision.slice(1)],
    revision.replace(/-(\d+)-(?=c?\d+$)/, (_, at: string) => `-${Number(at) + 1}-`)
  ].filter((each) => each !== revision)
}
