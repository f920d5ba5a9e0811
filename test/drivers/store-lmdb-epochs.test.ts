import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { all, bodies, fill, numbers, removal, says, upTo } from '../../src/contract/store/entries.ts'
import { Follower } from '../../src/contract/store/follower.ts'
import { LmdbDatabase } from '../../src/drivers/lmdb/database.ts'
import type { LmdbStore } from '../../src/drivers/lmdb/store.ts'
import type { Store } from '../../src/store.ts'
import { failingCommits, writable } from '../support/lmdb-commits.ts'
import { holdClock, idle, minutes, opened } from '../support/lmdb-store.ts'

const beginningOf = async (store: Store, room: string) => (await store.read(room, all)).head.position

const isKept = async (store: Store, room: string, position: string) => (await store.read(room, { ...all, after: position })).complete

/** Opens a store that forgets a room when it is cleared. */
const forgetful = async (t: Test) => await opened(t, { dedupWindow: 0 })

/** Creates a room, and removes it from disk. */
async function forget (store: LmdbStore, room: string): Promise<void> {
  await fill(store, room, 1)
  await store.clear(room)
}

/**
 * Calls functions during the next commit.
 * @param staged called when all its writes are staged and none is visible
 * @param visible called when its writes are visible and not settled
 */
function duringCommit (t: Test, staged: () => void, visible: () => Promise<void> = async () => {}): void {
  const { commit } = LmdbDatabase.prototype
  let isDue = true
  t.intercept(LmdbDatabase.prototype, 'commit', {
    async value (this: LmdbDatabase, ...args: Parameters<typeof commit>) {
      const isFirst = isDue
      isDue = false
      if (isFirst) staged()
      await commit.apply(this, args)
      if (isFirst) await visible()
    }
  })
}

/** Checks that a follower has received the newest entry of a room, and reached the head that pages have. */
async function isAtHead (t: Test, store: Store, room: string, follower: Follower, body: string): Promise<void> {
  await follower.has(body)
  t.strictSame(follower.pages.at(-1)!.head, (await store.read(room, all)).head)
}

t.test('followers of an unused room notice nothing when others expire or are evicted', async (t) => {
  holdClock(t)
  const arrangements: Record<string, { options: object, evict: (store: LmdbStore) => Promise<void> }> = {
    roomTtl: { options: { roomTtl: 300_000 }, evict: async (store) => await minutes(store, 7) },
    storeBytes: {
      options: { storeBytes: 20_000 },
      async evict (store) {
        for (const i of upTo(20)) {
          mock.timers.tick(1)
          await store.append(`other ${i}`, says('x'.repeat(3_000)))
        }
        await idle(store)
      }
    }
  }
  for (const [title, { options, evict }] of Object.entries(arrangements)) {
    const store = await opened(t, options)
    const [posted, controlled] = [await Follower.of(store, 'posted'), await Follower.of(store, 'controlled')]
    await fill(store, 'evicted', 2)
    await evict(store)
    t.equal((await store.read('evicted', all)).head.offset, 0, title)
    t.strictSame(await beginningOf(store, 'posted'), posted.feed.head.position, title)
    await store.append('posted', says('first', { key: 'k', hash: 'h', since: posted.feed.head.position }))
    await isAtHead(t, store, 'posted', posted, 'first')
    const { position: after, change: { revision } } = posted.feed.head
    t.match(await store.read('posted', { ...all, after, revision }), { complete: true, entries: [{ body: 'first' }] }, title)
    await store.control('controlled', removal('ada'))
    await controlled.until(() => controlled.controls.length === 1)
    t.strictSame(controlled.pages[0]!.head, (await store.read('controlled', all)).head, title)
    t.ok(await isKept(store, 'controlled', controlled.feed.head.position), title)
    t.ok([...posted.pages, ...controlled.pages].every(({ complete }) => complete), title)
  }
})

t.test('a room that is first followed while its first entry is committed keeps its epoch', async (t) => {
  const store = await forgetful(t)
  await fill(store, 'b', 1)
  let following: Promise<Follower> | undefined
  duringCommit(t, () => { following = Follower.of(store, 'a') })
  await Promise.all([store.append('a', says('first')), store.clear('b')])
  t.equal((await store.read('b', all)).head.offset, 0)
  const follower = (await following)!
  t.equal(follower.feed.head.offset, 0)
  await isAtHead(t, store, 'a', follower, 'first')
  t.ok(await isKept(store, 'a', follower.feed.head.position))
})

t.test('a room that is followed again while its first entry is committed keeps its epoch', async (t) => {
  const store = await forgetful(t)
  const first = await Follower.of(store, 'a')
  await forget(store, 'b')
  let following: Promise<Follower> | undefined
  duringCommit(t, () => {
    first.feed.stop()
    following = Follower.of(store, 'a')
  })
  await store.append('a', says('first'))
  const follower = (await following)!
  await isAtHead(t, store, 'a', follower, 'first')
  t.ok(await isKept(store, 'a', follower.feed.head.position))
})

t.test('a room that is followed while it is forgotten begins an epoch, and then keeps it', async (t) => {
  const store = await forgetful(t)
  const beginning = await beginningOf(store, 'a')
  const [entry] = await fill(store, 'a', 1)
  let following: Promise<Follower> | undefined
  duringCommit(t, () => { following = Follower.of(store, 'a') })
  await store.clear('a')
  const follower = (await following)!
  await follower.until(() => follower.pages.length === 1)
  t.match(follower.pages[0], { complete: false, head: { offset: 0 } })
  const { head } = follower.pages[0]!
  await forget(store, 'b')
  t.equal(await beginningOf(store, 'a'), head.position)
  for (const position of [beginning, entry!]) t.equal(await isKept(store, 'a', position), false)
  await store.append('a', says('after'))
  await isAtHead(t, store, 'a', follower, 'after')
  for (const position of [beginning, entry!]) t.equal(await isKept(store, 'a', position), false)
  t.strictSame(numbers(await store.read('a', { ...all, after: head.position })), [1])
})

t.test('no position of a forgotten room is honoured between the commit and its settlement', async (t) => {
  const store = await forgetful(t)
  const [followed, unfollowed] = [await beginningOf(store, 'followed'), await beginningOf(store, 'unfollowed')]
  for (const room of ['followed', 'unfollowed']) await fill(store, room, 1)
  const seen: unknown[] = []
  let following: Promise<Follower> | undefined
  duringCommit(t, () => { following = Follower.of(store, 'followed') }, async () => {
    for (const [room, position] of Object.entries({ followed, unfollowed })) {
      const { head, complete } = await store.read(room, { ...all, after: position })
      seen.push([head.offset, complete])
    }
  })
  await Promise.all(['followed', 'unfollowed'].map(async (room) => await store.clear(room)))
  t.strictSame(seen, [[0, false], [0, false]])
  const follower = (await following)!
  await follower.until(() => follower.pages.length === 1)
  t.strictSame(follower.pages[0]!.head, (await store.read('followed', all)).head)
})

t.test('no position of a forgotten room is honoured, also if an older seed is in use elsewhere', async (t) => {
  const store = await forgetful(t)
  const old = await Follower.of(store, 'old')
  const positions = []
  for (let round = 0; round < 3; round++) {
    positions.push(await beginningOf(store, 'a'), ...await fill(store, 'a', 2))
    await store.clear('a')
  }
  t.equal(new Set(positions).size, positions.length)
  const follower = await Follower.of(store, 'a')
  for (const position of positions) t.equal(await isKept(store, 'a', position), false)
  await fill(store, 'a', 2)
  for (const position of positions) t.equal(await isKept(store, 'a', position), false)
  t.notOk(positions.includes(follower.feed.head.position))
  t.equal(await beginningOf(store, 'old'), old.feed.head.position)
})

t.test('a room that is searched for a key while it is forgotten is unused afterwards', async (t) => {
  const store = await forgetful(t)
  await store.append('a', says('x', { key: 'k', hash: 'h' }))
  let found: Promise<unknown> | undefined
  duringCommit(t, () => { found = store.find('a', 'k') })
  await store.clear('a')
  t.equal(await found, undefined)
  t.match(await store.append('a', says('y', { key: 'k', hash: 'h' })), { offset: 1, again: false })
  t.strictSame(bodies(await store.read('a', all)), ['y'])
})

t.test('an unused room that was followed is posted to in the epoch that its readers have', async (t) => {
  const store = await forgetful(t)
  const first = await Follower.of(store, 'a')
  t.equal(await store.find('a', 'k'), undefined)
  await forget(store, 'b')
  first.feed.stop()
  t.equal(await isKept(store, 'a', first.feed.head.position), false)
  const second = await Follower.of(store, 'a')
  await store.append('a', says('first'))
  await isAtHead(t, store, 'a', second, 'first')
  t.strictSame(bodies(await store.read('a', { ...all, after: second.feed.head.position })), ['first'])
  t.ok(await isKept(store, 'a', second.feed.head.position))
})

t.test('a commit that fails changes no epoch', async (t) => {
  const store = await forgetful(t)
  const empty = await beginningOf(store, 'a')
  const [entry] = await fill(store, 'b', 1)
  const commits = failingCommits(t)
  await t.rejects(store.clear('b'), { code: 'FST_CHAT_UNAVAILABLE' })
  commits.error = undefined
  await writable(store)
  t.ok(await isKept(store, 'a', empty))
  t.ok(await isKept(store, 'b', entry!))
})
