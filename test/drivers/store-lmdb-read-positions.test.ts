import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mock } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { open } from 'lmdb'
import t, { type Test } from 'tap'
import { says, upTo } from '../../src/contract/store/entries.ts'
import { LmdbDatabase } from '../../src/drivers/lmdb/database.ts'
import { LmdbEvictions } from '../../src/drivers/lmdb/evictions.ts'
import { verifyStore } from '../../src/drivers/lmdb/verify.ts'
import { StoreUnavailable, StoreUnknown } from '../../src/errors.ts'
import { READ_POSITIONS_TTL, type ReadPosition, type Store } from '../../src/store.ts'
import { directory } from '../support/directory.ts'
import { full } from '../support/full.ts'
import { holdDate } from '../support/held-clock.ts'
import { failingCommits, writable, writtenBy } from '../support/lmdb-commits.ts'
import { holdClock, idle, NOTHING, opened, storedIn } from '../support/lmdb-store.ts'
import { tick } from '../support/tick.ts'

const [KiB, MiB] = [1024, 1024 * 1024]
const HOUR = 3_600_000

/** The time after which unused read positions are removed, in hours. */
const TTL = READ_POSITIONS_TTL / HOUR

/** Returns a read position as an entry would have it. */
const at = (room: string, offset: number, epoch = 'abcdefghijkl'): ReadPosition =>
  ({ room, offset, position: `${epoch}-${1e12 + offset}-${offset}`, at: 1e12 + offset })

/** Returns read positions in `count` rooms, in the order of their names. */
const inRooms = (count: number, offset = 1): ReadPosition[] => upTo(count).map((i) => at(`room-${`${i}`.padStart(4, '0')}`, offset))

/** Members and items of the order of use in a closed directory. */
async function membersIn (path: string): Promise<{ rows: number, uses: number }> {
  const root = open({ path, noSubdir: false })
  const [rows, uses] = ['readPositions', 'readPositionUses'].map((name) => root.openDB(name, {}).getKeysCount()) as [number, number]
  await root.close()
  return { rows, uses }
}

/** Changes the row of a member in a closed directory. Removes it if `change` returns undefined. */
async function damage (path: string, memberId: string, change: (row: Buffer) => Buffer | undefined): Promise<void> {
  const root = open({ path, noSubdir: false })
  const rows = root.openDB<Buffer, string>('readPositions', { encoding: 'binary' })
  const row = change(Buffer.from(rows.getBinary(memberId)!))
  await (row === undefined ? rows.remove(memberId) : rows.put(memberId, row))
  await root.close()
}

/** Returns the members whose rows each commit writes, from now on. @param withUses also lists what is added to the order of use, and removed */
function writtenMembers (t: Test, withUses = false): string[][] {
  return writtenBy<string>(t, (written, writes) => ({
    member (memberId, row) {
      written.push(memberId)
      writes.member(memberId, row)
    },
    memberUse (memberId, at, isLast) {
      if (withUses) written.push(`${isLast ? '+' : '-'} ${memberId}`)
      writes.memberUse(memberId, at, isLast)
    }
  }))
}

/** Resolves with those of the members that have read positions, without using them. */
async function membersOf (path: string, members: string[]): Promise<string[]> {
  const root = open({ path, noSubdir: false, readOnly: true })
  const rows = root.openDB<Buffer, string>('readPositions', { encoding: 'binary' })
  const kept = members.filter((member) => rows.getBinary(member) !== undefined)
  await root.close()
  return kept
}

/** Resolves with the names of the kept rooms. */
async function roomsOf (store: Store): Promise<string[]> {
  const names = []
  for await (const page of store.rooms()) names.push(...page)
  return names
}

t.test('a reopened store has all read positions', async (t) => {
  const path = directory(t)
  const before = await opened(t, {}, path)
  const members = ['ada', '__proto__', '\u0000', 'a\u0001b', '👋'.repeat(64), '\u{10FFFF}'.repeat(128), '漢'.repeat(128)]
  const positions = [
    at('a', 1), at('b', 0), { ...at('c', 2), position: 'of another form' }, { ...at('d', 3), at: 5 }, at('e', 2 ** 40, 'a.b_'), { ...at('f', 1), position: '-1-1' }
  ]
  for (const member of members) await before.markRead(member, positions)
  await before.close()
  await verifyStore(path, () => {})
  const store = await opened(t, {}, path)
  for (const member of members) t.strictSame(await store.readPositions(member), positions)
  await store.markRead('ada', [at('a', 2), at('b', 0)])
  t.strictSame(await store.readPositions('ada'), [at('a', 2), ...positions.slice(1)])
})

t.test('an id that is too long for the disk is rejected, and so is a room name', async (t) => {
  const store = await opened(t)
  for (const id of ['', 'a'.repeat(513), 'ä'.repeat(257)]) {
    for (const call of [store.markRead(id, []), store.readPositions(id), store.forgetRead(id, 'a')]) {
      await t.rejects(async () => { await call }, { code: 'FST_CHAT_INVALID_ARGUMENT' })
    }
  }
  await t.rejects(store.markRead('ada', [at('a', 1), at('ä'.repeat(257), 1)]), { code: 'FST_CHAT_INVALID_ROOM' })
  t.strictSame(await store.readPositions('ada'), [])
})

t.test('a directory of the version before is opened, and keeps its format', async (t) => {
  // A room with trimmed entries, an edit and a stream; and a cleared room.
  const path = directory(t)
  writeFileSync(join(path, 'data.mdb'), gunzipSync(readFileSync('test/support/fixtures/lmdb-without-read-positions.mdb.gz')))
  t.match(await verifyStore(path, () => {}), { rooms: 2, entries: 5 }, 'verify reads it')
  const store = await opened(t, {}, path)
  t.strictSame(await store.readPositions('ada'), [])
  await store.forgetRead('ada', 'a')
  const { entries } = await store.read('a', { limit: 10, maxBytes: MiB })
  const { offset, position, at: time, body } = entries[1]!
  t.equal(body, 'text 5')
  await store.markRead('ada', [{ room: 'a', offset, position, at: time }])
  t.equal((await store.read('a', { limit: 0, maxBytes: 0, readPosition: position })).unread, 3)
  await store.close()
  const root = open({ path, noSubdir: false })
  t.equal(root.openDB<number, string>('format', { encoding: 'json' }).get('number'), 4)
  await root.close()
  t.match(await (await opened(t, {}, path)).readPositions('ada'), [{ room: 'a', position }])
})

t.test('marks of one tick are one commit, each member is written once', async (t) => {
  const store = await opened(t)
  const commits = writtenMembers(t)
  await Promise.all(upTo(300).map((i) => store.markRead(`member ${i % 100}`, [at(`room ${i % 3}`, i)])))
  t.equal(commits.length, 1)
  t.equal(new Set(commits[0]).size, commits[0]!.length)
  t.equal(commits[0]!.length, 100)
  t.strictSame(await store.readPositions('member 7'), [at('room 0', 207), at('room 1', 7), at('room 2', 107)])
})

t.test('reads, and marks that move nothing, write a use once in ten minutes', async (t) => {
  holdClock(t)
  const store = await opened(t)
  const commits = writtenMembers(t, true)
  await store.markRead('ada', [at('a', 5)])
  t.strictSame(commits.splice(0), [['ada', '+ ada']])
  const use = async () => {
    for (let i = 0; i < 20; i++) {
      await store.readPositions('ada')
      await store.readPositions('ada', 'a')
      await store.markRead('ada', [at('a', 4)])
      await store.readPositions('bob')
    }
    for (let i = 0; i < 20; i++) await tick()
    return commits.splice(0)
  }
  t.strictSame(await use(), [])
  mock.timers.tick(10 * 60_000 - 1)
  await store.markRead('ada', [at('a', 6)])
  t.strictSame(commits.splice(0), [['ada']], 'a mark alone')
  mock.timers.tick(1)
  t.strictSame(await use(), [['ada', '- ada', '+ ada']])
  t.strictSame(await use(), [])
  mock.timers.tick(10 * 60_000)
  await store.markRead('ada', [at('a', 7)])
  t.strictSame(commits.splice(0), [['ada', '- ada', '+ ada']], 'a mark and a use')
})

t.test('read positions that are not used for 90 days are removed', async (t) => {
  holdClock(t)
  const path = directory(t)
  const store = await opened(t, { roomTtl: Infinity }, path)
  const members = ['unused', 'read', 'marked', 'again', 'new']
  for (const member of members.slice(0, 4)) await store.markRead(member, [at('a', 5)])
  const hours = async (count: number) => {
    mock.timers.tick(count * HOUR)
    await idle(store)
  }
  await hours(TTL - 1)
  await store.readPositions('read')
  await store.markRead('marked', [at('a', 6)])
  await store.markRead('again', [at('a', 5)])
  await store.markRead('new', [at('a', 5)])
  await hours(50 / 60)
  t.strictSame(await membersOf(path, members), members)
  await hours(11 / 60)
  t.strictSame(await membersOf(path, members), members.slice(1))
  await hours(TTL - 1.5)
  t.strictSame(await membersOf(path, members), members.slice(1))
  await hours(0.5)
  await store.close()
  t.strictSame(await membersIn(path), { rows: 0, uses: 0 })
  t.strictSame(await storedIn(path), NOTHING)
})

t.test('expired read positions are removed in steps', async (t) => {
  holdClock(t)
  const path = directory(t)
  const store = await opened(t, {}, path)
  await Promise.all(upTo(5_000).map((i) => store.markRead(`member ${i}`, [at('a', 1)])))
  const commits = writtenMembers(t)
  mock.timers.tick(READ_POSITIONS_TTL)
  await idle(store)
  t.strictSame(commits.map(({ length }) => length).filter((length) => length > 0), [2_000, 2_000, 1_000])
  await store.close()
  t.strictSame(await membersIn(path), { rows: 0, uses: 0 })
})

t.test('rooms and read positions are removed in one order of their last use, also after a restart', async (t) => {
  holdDate(t)
  const path = directory(t)
  const options = { storeBytes: MiB }
  const before = await opened(t, options, path)
  const use = async (store: Store, i: number) => {
    mock.timers.tick(1)
    await store.append(`room ${i}`, says('x'.repeat(11_000)))
    mock.timers.tick(1)
    await store.markRead(`member ${i}`, inRooms(250, i))
  }
  for (const i of upTo(30)) await use(before, i)
  mock.timers.tick(HOUR)
  await before.readPositions('member 1')
  await before.markRead('member 2', inRooms(250, 2))
  await before.markRead('member 3', [at('new', 1)])
  await before.read('room 1', { limit: 1, maxBytes: 1 })
  await idle(before)
  await before.close()
  const store = await opened(t, options, path)
  for (const i of upTo(50, 31)) await use(store, i)
  await idle(store)
  const rooms = (await roomsOf(store)).map((room) => Number(room.slice(5))).sort((a, b) => a - b)
  await store.close()
  const members = (await membersOf(path, upTo(50).map((i) => `member ${i}`))).map((member) => Number(member.slice(7)))
  const first = rooms[1]!
  t.ok(first > 10 && first < 30, `the first room is ${first}`)
  t.strictSame(rooms, [1, ...upTo(50, first)])
  t.ok(members[3] === first || members[3] === first - 1, `the first member is ${members[3]}`)
  t.strictSame(members, [1, 2, 3, ...upTo(50, members[3])])
  const { bytes } = await storedIn(path)
  t.ok(bytes <= MiB && bytes > 0.9 * MiB, `${bytes} bytes`)
})

t.test('a use that is not on disk yet keeps read positions from being removed', async (t) => {
  holdDate(t)
  const path = directory(t)
  const store = await opened(t, { storeBytes: 200 * KiB, historyBytes: 100 * KiB }, path)
  for (const i of upTo(10)) {
    mock.timers.tick(1_000)
    await store.markRead(`member ${i}`, inRooms(100))
  }
  await store.readPositions('member 1')
  await store.markRead('member 2', inRooms(1))
  mock.timers.tick(1_000)
  for (const i of upTo(14)) await store.append(`room ${i}`, says('x'.repeat(8_000)))
  await idle(store)
  const kept = await membersOf(path, upTo(10).map((i) => `member ${i}`))
  t.strictSame(kept.slice(0, 2), ['member 1', 'member 2'])
  t.ok(!kept.includes('member 3') && kept.includes('member 10'))
})

t.test('a flood of members keeps the file within its limit, and used members and rooms stay', async (t) => {
  const path = directory(t)
  const [storeBytes, members] = [full(4, 2) * MiB, full(10_000, 4_000)]
  const store = await opened(t, { storeBytes }, path)
  await store.append('used', says('x'))
  await store.markRead('used', inRooms(20))
  let [member, largest] = [0, 0]
  const flood = async () => {
    while (member < members) {
      const number = ++member
      await store.markRead(`member ${number}`, inRooms(20))
      if (number % 50 !== 0) continue
      t.equal((await store.readPositions('used')).length, 20)
      t.equal((await store.read('used', { limit: 1, maxBytes: 1 })).head.offset, 1)
      largest = Math.max(largest, statSync(join(path, 'data.mdb')).size)
    }
  }
  await Promise.all(Array.from({ length: 50 }, flood))
  t.ok(largest < 1.5 * storeBytes && largest > 0.4 * storeBytes, `${largest / storeBytes} times the limit`)
  t.equal((await store.readPositions(`member ${members}`)).length, 20)
  t.strictSame(await store.readPositions('member 1'), [])
  await store.close()
  const { rows, uses } = await membersIn(path)
  t.equal(rows, uses)
  t.ok((await storedIn(path)).bytes <= storeBytes)
  await verifyStore(path, () => {})
})

t.test('a store that read positions fill still accepts marks, and keeps the last ones', async (t) => {
  const path = directory(t)
  const store = await opened(t, { storeBytes: 50_000, historyBytes: 50_000 }, path)
  for (const round of upTo(30)) {
    await Promise.all(upTo(40).map((i) => store.markRead(`member ${i}`, inRooms(50, round))))
    for (const i of [1, 2, 3]) {
      await store.markRead(`member ${i}`, inRooms(50, round))
      t.strictSame(await store.readPositions(`member ${i}`), inRooms(50, round))
    }
  }
  await idle(store)
  const commits = t.capture(LmdbDatabase.prototype, 'commit', LmdbDatabase.prototype.commit)
  for (let i = 0; i < 100; i++) await tick()
  t.ok(commits().length <= 1, 'removal stops')
  await store.close()
  const { bytes } = await storedIn(path)
  t.ok(bytes <= 50_000 && bytes > 25_000, `${bytes} bytes`)
})

t.test('marks are BUSY while more is stored than can be removed; a read position can be forgotten', async (t) => {
  const store = await opened(t)
  await store.markRead('ada', [at('a', 1)])
  t.intercept(LmdbEvictions.prototype, 'isBehind', { get: () => true })
  await t.rejects(store.markRead('ada', [at('a', 2)]), { code: 'FST_CHAT_BUSY' })
  t.strictSame(await store.readPositions('ada'), [at('a', 1)])
  await store.forgetRead('ada', 'a')
  t.strictSame(await store.readPositions('ada'), [])
})

t.test('at least the bytes of the pages in use are charged, and none once all is forgotten', async (t) => {
  for (const [members, rooms] of [[1_000, 1], [1_000, 20], [100, 50]] as const) {
    const path = directory(t)
    const store = await opened(t, {}, path)
    await Promise.all(upTo(members).map((i) => store.markRead(`member ${i}`, inRooms(rooms))))
    for (const round of upTo(3)) await Promise.all(upTo(members).map((i) => store.markRead(`member ${i * 37 % members + 1}`, [at(`room-${i % 7}`, i + round)])))
    await store.close()
    const [{ bytes }, used] = [await storedIn(path), (await verifyStore(path, () => {})).bytes]
    // An empty store has some pages too.
    t.ok(bytes >= used - 36_864 && bytes < 6 * used, `${bytes / used} times the bytes in use`)
    t.comment(`${members} members in ${rooms} rooms: ${Math.round(used / members)} bytes in use for each, ${Math.round(bytes / members)} charged`)
    const again = await opened(t, {}, path)
    for (let first = 1; first <= members; first += 100) {
      await Promise.all(upTo(first + 99, first).map(async (i) => {
        const positions = await again.readPositions(`member ${i}`)
        await Promise.all(positions.map(({ room }) => again.forgetRead(`member ${i}`, room)))
      }))
    }
    await again.close()
    t.strictSame([await storedIn(path), await membersIn(path)], [NOTHING, { rows: 0, uses: 0 }])
  }
})

t.test('the read positions of 1,000 rooms are found again, and the later of one more', async (t) => {
  const path = directory(t)
  const before = await opened(t, {}, path)
  await before.markRead('ada', inRooms(1_000, 5))
  await before.close()
  const { bytes } = await storedIn(path)
  t.ok(bytes >= 44_000 && bytes < 50_000, `${bytes} bytes`)
  const store = await opened(t, {}, path)
  t.strictSame(await store.readPositions('ada'), inRooms(1_000, 5))
  await store.markRead('ada', [at('room-0500', 4), at('room-0501', 6)])
  t.strictSame(await store.readPositions('ada', 'room-0501'), [at('room-0501', 6)])
  t.strictSame(await store.readPositions('ada', 'room-0500'), [at('room-0500', 5)])
  await store.markRead('ada', [at('x', 4)])
  t.strictSame(await store.readPositions('ada', 'x'), [])
  await store.markRead('ada', [at('x', 7)])
  const kept = await store.readPositions('ada')
  t.strictSame([kept.length, kept.at(-1)], [1_000, at('x', 7)])
})

t.test('a commit that fails moves no read position, and its repeat does', async (t) => {
  const path = directory(t)
  const store = await opened(t, {}, path)
  await store.markRead('ada', [at('a', 1), at('b', 1)])
  await store.markRead('bob', [at('a', 1)])
  const calls = [
    () => store.markRead('ada', [at('a', 2)]), () => store.forgetRead('ada', 'b'), () => store.forgetRead('bob', 'a'), () => store.markRead('eve', [at('a', 3)])
  ]
  const state = async () => [await store.readPositions('ada'), await store.readPositions('bob'), await store.readPositions('eve')]
  const before = await state()
  const commits = failingCommits(t)
  for (const error of [new StoreUnavailable(), new StoreUnknown()]) {
    commits.error = error
    for (const result of await Promise.allSettled(calls.map((call) => call()))) t.match(result, { reason: { code: error.code } })
    t.strictSame(await state(), before)
    commits.error = undefined
    await writable(store)
  }
  await Promise.all(calls.map((call) => call()))
  t.strictSame(await state(), [[at('a', 2)], [], [at('a', 3)]])
  for (const member of ['ada', 'eve']) await store.forgetRead(member, 'a')
  await store.close()
  t.strictSame([await storedIn(path), await membersIn(path)], [NOTHING, { rows: 0, uses: 0 }])
})

t.test('a mark is charged with the row that it rewrites, while it is in flight', async (t) => {
  const store = await opened(t, { inFlightBytes: 320 * KiB })
  await store.markRead('small', inRooms(1))
  for (const i of upTo(5)) await store.markRead('large', inRooms(200 * i).slice(200 * (i - 1)))
  const marks = () => Promise.allSettled(['small', 'large', 'large', 'large'].map((member) => store.markRead(member, [at('room-0001', 2)])))
  t.match(await marks(), [{ status: 'fulfilled' }, { status: 'fulfilled' }, { status: 'fulfilled' }, { reason: { code: 'FST_CHAT_BUSY' } }])
  t.match(await Promise.allSettled(upTo(3).map(() => store.forgetRead('large', 'none'))), [{ status: 'fulfilled' }, {}, { reason: { code: 'FST_CHAT_BUSY' } }])
  await t.rejects(store.markRead('new', inRooms(1_000)), { code: 'FST_CHAT_BUSY' }, 'and with its own positions')
  t.match(await marks(), [{}, {}, { status: 'fulfilled' }, {}], 'the bytes are released')
})

t.test("read positions that can't be decoded are reported, by verify too, and others are served", async (t) => {
  const damages: Record<string, (row: Buffer) => Buffer | undefined> = {
    "'ada' can't be decoded": (row) => row.fill(0, 20),
    "'ada' are missing": () => undefined,
    "'ada' can't be decoded ": (row) => row.fill(1, 0, 8),
    "'ada' can't be decoded  ": (row) => row.subarray(0, 4),
    "'ada' can't be decoded   ": (row) => Buffer.concat([row.subarray(0, 8), Buffer.from('["a","b",1]')]),
    "'ada' can't be decoded    ": (row) => Buffer.concat([row.subarray(0, 8), Buffer.from('[1,"b",1,1]')])
  }
  for (const [message, change] of Object.entries(damages)) {
    const path = directory(t)
    const store = await opened(t, {}, path)
    for (const member of ['ada', 'bob']) await store.markRead(member, inRooms(3))
    await store.close()
    await verifyStore(path, () => {})
    await damage(path, 'ada', change)
    await t.rejects(verifyStore(path, () => {}), { code: 'FST_CHAT_STORE_DAMAGED', message: new RegExp(`the read positions of the member ${message.trim()}`) })
  }
})

t.test('damaged read positions are never treated as missing, until they are removed', async (t) => {
  holdClock(t)
  const path = directory(t)
  const before = await opened(t, {}, path)
  for (const member of ['ada', 'bob']) await before.markRead(member, inRooms(3))
  await before.close()
  await damage(path, 'ada', (row) => row.fill(0, 20))
  const store = await opened(t, {}, path)
  const calls = [() => store.readPositions('ada'), () => store.markRead('ada', inRooms(1, 2)), () => store.forgetRead('ada', 'room-0001')]
  for (const call of calls) await t.rejects(async () => { await call() }, { code: 'FST_CHAT_STORE_DAMAGED' })
  await store.markRead('bob', inRooms(3, 2))
  t.strictSame(await store.readPositions('bob'), inRooms(3, 2))
  mock.timers.tick(READ_POSITIONS_TTL)
  await idle(store)
  t.strictSame(await store.readPositions('ada'), [])
  await store.markRead('ada', inRooms(1, 2))
  await store.close()
  t.strictSame(await membersIn(path), { rows: 1, uses: 1 })
})

t.test('unread counts are read without using a room', async (t) => {
  const store = await opened(t, { historyEntries: 5 })
  const posted = []
  for (const i of upTo(8)) posted.push(await store.append('a', says(`${i}`)))
  const commits = t.capture(LmdbDatabase.prototype, 'commit', LmdbDatabase.prototype.commit)
  const unread = async (room: string, readPosition: string) =>
    (await store.read(room, { limit: 0, maxBytes: 0, use: false, readPosition })).unread
  const counts = await Promise.all(posted.map(({ position }) => unread('a', position)))
  t.strictSame(counts, [5, 5, 5, 4, 3, 2, 1, 0])
  t.equal(await unread('b', posted[0]!.position), 0)
  t.equal(commits().length, 0)
  t.strictSame(await roomsOf(store), ['a'])
})
