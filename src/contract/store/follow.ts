import assert from 'node:assert/strict'
import { setImmediate as tick } from 'node:timers/promises'
import type { Cursor, Store } from '../../store.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, says, cursor, upTo, fill } from './entries.ts'
import { Follower } from './follower.ts'

/** Checks delivery. */
export async function followPromises (test: StoreSubtest): Promise<void> {
  await test('a follower receives exactly the entries after its head, in order, once', async (open) => {
    const one = await open()
    await fill(one, 'a', 2)
    const first = await Follower.of(one, 'a')
    assert.deepEqual(cursor(first.feed.head), cursor((await one.read('a', all)).head))
    await fill(one, 'a', 3)
    await fill(one, 'b', 3)
    const undelivered = one.append('a', says('possibly not yet delivered when the second follower joins'))
    const second = await Follower.of(one, 'a')
    await undelivered
    await one.append('a', says('end'))
    await Promise.all([first.has('end'), second.has('end')])
    assert.deepEqual(first.numbers, upTo(7, 3))
    assert.deepEqual(second.numbers, upTo(7, second.feed.head.offset + 1))
    assert.equal([...first.pages, ...second.pages].every(({ complete, head, entries }) => complete && head.offset >= entries.at(-1)!.offset), true)
    assert.deepEqual(first.entries, (await one.read('a', all)).entries.slice(2), 'delivered as they are read')
  })

  await test('a follower that joins under load misses no entry and receives none twice', async (open) => {
    const one = await open()
    const followers: Follower[] = []
    const joins: Array<Promise<unknown>> = []
    const appends: Array<Promise<Cursor>> = []
    const join = () => joins.push(Follower.of(one, 'a').then((follower) => followers.push(follower)))
    for (const round of upTo(60)) {
      for (const i of upTo(17)) {
        appends.push(one.append('a', says(`${round} ${i}`)))
        if (i === 1 + round % 17) join()
      }
      if (round % 2 === 0) queueMicrotask(join)
      if (round % 3 === 0) process.nextTick(join)
      if (round % 4 === 0) await appends.at(-1)
      else await tick()
    }
    assert.deepEqual((await Promise.all(appends)).map(({ offset }) => offset), upTo(60 * 17))
    await Promise.all(joins)
    await one.append('a', says('end'))
    const kept = (await one.read('a', all)).entries
    await Promise.all(followers.map((follower) => follower.has('end')))
    assert.equal(followers.length, 60 + 30 + 20)
    assert.deepEqual(followers.filter(({ entries, feed }) => entries.some(({ offset: n }, i) => n !== feed.head.offset + 1 + i)).length, 0)
    assert.deepEqual(followers.filter(({ entries, feed }) => entries.length !== 60 * 17 + 1 - feed.head.offset).length, 0)
    assert.deepEqual(followers[0]!.entries, kept.slice(followers[0]!.feed.head.offset), 'the order is that of reading')
  })

  await test('entries are never delivered inside append or inside another delivery', async (open) => {
    const one = await open()
    const failures: unknown[] = []
    let inside = 0
    let deepest = 0
    const append = (body: string) => {
      inside++
      const stored = one.append('a', says(body))
      inside--
      return stored
    }
    const follower = await Follower.of(one, 'a', ({ entries }) => {
      deepest = Math.max(deepest, inside)
      inside++
      for (const { offset: n } of entries) if (n < 100) append(`${n + 1}`).catch((error) => failures.push(error))
      inside--
    })
    const second = await Follower.of(one, 'a', () => { deepest = Math.max(deepest, inside) })
    await append('1')
    await Promise.all([follower.has('100'), second.has('100')])
    assert.deepEqual(failures, [])
    assert.equal(deepest, 0)
    assert.deepEqual(follower.entries.map(({ offset: n, body }) => [n, body]), upTo(100).map((n) => [n, `${n}`]), "a follower's own appends are delivered in order")
    assert.deepEqual(second.numbers, upTo(100))
  })

  const arrangements: Record<string, (run: () => void, store: Store) => void> = {
    'appended in the same tick': (run) => run(),
    'while another room is about to be delivered': (run, store) => {
      void store.append('other', says('x'))
      run()
    },
    'followed in a tick, ahead of a delivery': (run, store) => {
      queueMicrotask(() => process.nextTick(run))
      void store.append('other', says('x'))
    },
    'followed during a delivery': (run, store) => {
      void store.follow('other', run).then(() => store.append('other', says('x')))
    }
  }
  for (const [title, arrange] of Object.entries(arrangements)) {
    await test(`a follower is first called after its promise's reactions have run: ${title}`, async (open) => {
      const one = await open()
      await one.follow('other', () => {})
      let live = false
      let begun = false
      const delivered = new Promise<boolean>((resolve) => {
        arrange(() => {
          if (begun) return
          begun = true
          const following = (async () => await one.follow('a', () => resolve(live)))()
          void following.then(async (feed) => feed).then(() => {
            live = true
            void one.append('a', says('after the reactions'))
          })
          void one.append('a', says('x'))
        }, one)
      })
      assert.equal(await delivered, true)
    })
  }

  const throws: Record<string, unknown> = { 'an Error': new Error('its own'), 'a string': 'its own', nothing: undefined, 'an object': { its: 'own' } }
  for (const [title, thrown] of Object.entries(throws)) {
    await test(`a follower that throws ${title} affects neither other followers nor itself`, async (open) => {
      const one = await open()
      const thrower = await Follower.of(one, 'a', () => { throw thrown })
      const other = await Follower.of(one, 'a')
      await fill(one, 'a', 3)
      await one.append('a', says('end'))
      await Promise.all([thrower.has('end'), other.has('end')])
      assert.deepEqual([thrower.numbers, other.numbers], [upTo(4), upTo(4)])
    })
  }

  await test('after stop, deliver is not called again', async (open) => {
    const one = await open()
    const stopping = await Follower.of(one, 'a', () => stopping.feed.stop())
    const first = await Follower.of(one, 'a', () => stopped.feed.stop())
    const stopped = await Follower.of(one, 'a')
    const witness = await Follower.of(one, 'a')
    await one.append('a', says('one'))
    await witness.has('one')
    const underWay = one.append('a', says('two'))
    first.feed.stop()
    first.feed.stop()
    stopped.feed.stop()
    const before = [stopping, first, stopped].map(({ numbers }) => numbers)
    await underWay
    await one.append('a', says('three'))
    await witness.has('three')
    assert.deepEqual([stopping, first, stopped].map(({ numbers }) => numbers), before, 'not even for an append that was in flight')
    assert.deepEqual([stopping.numbers, witness.numbers], [[1], [1, 2, 3]])
    assert.ok(stopped.pages.length <= 1, 'one stopped during a delivery receives at most that delivery')
    const again = await Follower.of(one, 'a')
    await one.append('a', says('four'))
    await again.has('four')
    assert.deepEqual(again.numbers, [4], 'a new follower receives new entries')
  })
}
