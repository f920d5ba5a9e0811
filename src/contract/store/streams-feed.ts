import assert from 'node:assert/strict'
import { setImmediate as tick } from 'node:timers/promises'
import type { StoreSubtest } from './bounds.ts'
import { all, append, begin, end, idleEnd, react, says, upTo } from './entries.ts'
import { Follower } from './follower.ts'
import { View } from './view.ts'

/** Checks that followers and readers receive streamed text without a gap or an overlap. */
export async function streamsFeedPromises (test: StoreSubtest): Promise<void> {
  await test('a follower receives the beginning of a stream, each append, and its end with the whole entry', async (open) => {
    const one = await open()
    const follower = await Follower.of(one, 'a')
    const position = await begin(one, 'a')
    const made = [
      await one.amend('a', position, { ...append('grüße ', 0), by: 'ada' }),
      await one.amend('a', position, append('👋', 6)),
      await one.amend('a', position, react('👍', 'ada')),
      await one.amend('a', position, append('!', 7)),
      await one.amend('a', position, { by: 'ada', change: { end: true, unfinished: true } })
    ]
    for (const amendment of [append('', 0), append('👋!', 6), end, idleEnd(0)]) await one.amend('a', position, amendment)
    const other = await begin(one, 'a', 'x')
    for (const amendment of [append('', 1), append('x', 0), idleEnd(1e9)]) assert.equal((await one.amend('a', other, amendment)).again, true)
    await one.append('a', says('end'))
    await follower.has('end')
    assert.deepEqual(follower.entries.map(({ streaming, revision, body }) => [streaming, revision, body]), [[true, undefined, ''], [true, undefined, 'x'], [undefined, undefined, 'end']])
    const { changes } = follower
    assert.deepEqual(changes.map(({ change }) => change), made.map(({ number, revision }) => ({ number, revision })), 'nothing else is published')
    assert.deepEqual(changes.map((changed) => changed.made && [changed.by, changed.made]), [
      ['ada', { append: 'grüße ', at: 0 }],
      [null, { append: '👋', at: 6 }],
      ['ada', { react: '👍', on: true }],
      [null, { append: '!', at: 7 }],
      ['ada', { end: true, unfinished: true }]
    ])
    const { ended } = changes[4] as { ended?: unknown }
    assert.deepEqual(ended, await one.get('a', position))
    assert.deepEqual(follower.viewAfter(new View()).entries, (await one.read('a', all)).entries)
  })

  await test('a follower that joins within a streamed text receives the rest without a gap or an overlap', async (open) => {
    const one = await open()
    const position = await begin(one, 'a')
    const joined: Array<Promise<{ follower: Follower, page: Awaited<ReturnType<typeof one.read>> }>> = []
    const join = async () => {
      const follower = await Follower.of(one, 'a')
      return { follower, page: await one.read('a', all) }
    }
    const calls: Array<Promise<unknown>> = []
    const grow = () => {
      const made = one.amend('a', position, append('👋b', 2 * calls.length))
      calls.push(made)
      return made
    }
    for (const i of upTo(200)) {
      const made = grow()
      if (i % 7 === 0) joined.push(join())
      if (i % 11 === 0) queueMicrotask(() => joined.push(join()))
      if (i % 13 === 0) process.nextTick(() => joined.push(join()))
      if (i % 20 === 0) await made
      else if (i % 5 === 0) await tick()
    }
    const joining = Promise.all(joined)
    let followers: Awaited<typeof joining> | undefined
    while (followers === undefined) followers = await Promise.race([joining, grow().then(() => tick(undefined))])
    await Promise.all([grow(), grow(), one.amend('a', position, end), one.append('a', says('end'))])
    await Promise.all(calls)
    const final = await one.read('a', all)
    assert.deepEqual(final.entries[0]!.body, '👋b'.repeat(calls.length))
    let inTheMiddle = 0
    for (const { follower, page } of followers) {
      await follower.has('end')
      const view = new View([...page.entries, ...follower.entries.filter(({ offset }) => offset > page.head.offset)])
      await follower.until(() => follower.pages.at(-1)!.head.change.number === final.head.change.number)
      const rest = follower.changes.filter(({ change }) => change.number > page.head.change.number)
      for (const changed of rest) view.change(changed)
      assert.deepEqual(view.entries, final.entries)
      if (rest.length > 1 && page.entries[0]!.body !== '') inTheMiddle++
    }
    assert.equal(inTheMiddle > 10, true)
  })

  await test('pages with a streaming entry do not change when its text grows', async (open) => {
    const one = await open()
    const follower = await Follower.of(one, 'a')
    const position = await begin(one, 'a')
    await one.amend('a', position, append('so far', 0))
    await follower.until(() => follower.changes.length === 1)
    const page = await one.read('a', all)
    const delivered = [...follower.pages]
    const before = structuredClone([page, delivered])
    await one.amend('a', position, append('.', 6))
    await one.amend('a', position, end)
    await follower.until(() => follower.changes.length === 3)
    assert.deepEqual([page, delivered], before)
  })
}
