import assert from 'node:assert/strict'
import { MAX_READ_POSITIONS, type ReadPosition, type Store } from '../../store.ts'
import type { StoreSubtest } from './bounds.ts'
import { readable, readableAfter, upTo } from './entries.ts'

/** Member ids that an app may use: any characters except control characters and lone surrogates, up to 128 of them. */
const MEMBERS = [
  '__proto__', 'constructor', 'ada', 'Ada', 'ä', 'ä'.normalize('NFD'), ' ', 'a b', 'a/b', '..', 'a:b', 'a{b}c', '{ada}', '}{', '*', 'a*', '%', '0', '1e3',
  'ā'.repeat(128), '👋'.repeat(64), '漢'.repeat(127), '漢'.repeat(128), '\u{10FFFF}'.repeat(64), '"\\', 'a\u200bb'
]

/** Names of rooms in their order as strings. */
const ROOMS = ['-', '.', '1', '10', '2', '9', ':', 'A', 'B', 'Z', '_', '__proto__', 'a', 'a-b', 'a.b', 'a:b', 'ab', 'b', 'constructor', 'x'.repeat(64)]

/** Resolves with names of all kept rooms. */
async function namesOf (store: Store): Promise<string[]> {
  const names: string[] = []
  for await (const page of store.rooms()) names.push(...page)
  return names
}

/** Resolves with the read positions of as many entries, whose times are later than `after`, each in a room of its own. */
async function inRooms (store: Store, prefix: string, count: number, after = 0): Promise<ReadPosition[]> {
  await readableAfter(store, 'clock', after)
  const positions: ReadPosition[] = []
  for (let first = 1; first <= count; first += 100) {
    const names = upTo(Math.min(count, first + 99), first).map((i) => `${prefix}${`${i}`.padStart(4, '0')}`)
    positions.push(...(await Promise.all(names.map((name) => readable(store, name, 1)))).flat())
  }
  return positions
}

/** Checks `markRead` and `readPositions`. */
export async function readPositionsPromises (test: StoreSubtest): Promise<void> {
  await test('read positions are kept by member and room, in the order of the room names', async (open) => {
    const one = await open()
    const positions: ReadPosition[] = []
    for (const room of ROOMS) positions.push(...await readable(one, room, 1))
    await one.markRead('ada', positions.toReversed())
    await one.markRead('bob', [positions[3]!])
    assert.deepEqual(await one.readPositions('ada'), positions)
    for (const position of positions) assert.deepEqual(await one.readPositions('ada', position.room), [position])
    assert.deepEqual(await one.readPositions('bob'), [positions[3]])
    assert.deepEqual(await one.readPositions('bob', positions[2]!.room), [])
    for (const room of ['toString', 'unused', 'c']) assert.deepEqual(await one.readPositions('ada', room), [], room)
  })

  await test('a member without read positions has an empty list, and forgetting has no effect', async (open) => {
    const one = await open()
    const [position] = await readable(one, 'a', 1)
    for (const member of MEMBERS) {
      assert.deepEqual(await one.readPositions(member), [], member)
      assert.deepEqual(await one.readPositions(member, 'a'), [], member)
      await one.forgetRead(member, 'a')
      await one.markRead(member, [])
      assert.deepEqual(await one.readPositions(member), [], member)
    }
    await one.markRead('ada', [position!])
    await one.markRead('ada', [])
    await one.forgetRead('ada', 'b')
    assert.deepEqual(await one.readPositions('ada'), [position])
  })

  await test('member ids may have any characters', async (open) => {
    const one = await open()
    const positions = await readable(one, '__proto__', MEMBERS.length)
    await Promise.all(MEMBERS.map((member, i) => one.markRead(member, [positions[i]!])))
    for (const [i, member] of MEMBERS.entries()) assert.deepEqual(await one.readPositions(member), [positions[i]], member)
    for (const member of MEMBERS.slice(0, 10)) await one.forgetRead(member, '__proto__')
    for (const [i, member] of MEMBERS.entries()) assert.deepEqual(await one.readPositions(member), i < 10 ? [] : [positions[i]], member)
  })

  await test('a read position never moves back', async (open) => {
    const one = await open()
    const [a, b] = [await readable(one, 'a', 12), await readable(one, 'b', 12)]
    for (const [marked, kept] of [[5, 5], [3, 5], [5, 5], [4, 5], [11, 11], [0, 11], [10, 11]] as const) {
      await one.markRead('ada', [a[marked]!, b[11 - marked]!])
      assert.deepEqual(await one.readPositions('ada', 'a'), [a[kept]])
    }
    assert.deepEqual(await one.readPositions('ada'), [a[11], b[11]])
  })

  await test('of marks with the same time, the one with the higher offset is kept', async (open) => {
    const one = await open()
    let posted: ReadPosition[]
    // The store's clock moves on by itself.
    do posted = (await Promise.all(upTo(20).map(() => readable(one, 'a', 1)))).flat(); while (posted.at(-1)!.at !== posted.at(-2)!.at)
    const [earlier, later] = [posted.at(-2)!, posted.at(-1)!]
    await one.markRead('ada', [earlier])
    await one.markRead('ada', [later])
    await one.markRead('ada', [earlier])
    assert.deepEqual(await one.readPositions('ada'), [later])
  })

  await test('the newest of simultaneous marks is kept', async (open) => {
    const one = await open()
    const [a, b] = [await readable(one, 'a', 100), await readable(one, 'b', 100)]
    await Promise.all(upTo(100).map((i) => one.markRead('ada', [a[i * 37 % 100]!, b[i * 61 % 100]!])))
    assert.deepEqual(await one.readPositions('ada'), [a.at(-1), b.at(-1)])
  })

  await test('a mark in a new epoch replaces that of an earlier one, and is not replaced by it', async (open) => {
    const one = await open()
    const before = await readable(one, 'a', 5)
    await one.markRead('ada', [before[4]!])
    await one.clear('a')
    assert.deepEqual(await one.readPositions('ada'), [before[4]], 'a clear removes no read position')
    const first = await readableAfter(one, 'a', before[4]!.at)
    await one.markRead('ada', [first])
    await one.markRead('ada', [before[4]!])
    assert.deepEqual(await one.readPositions('ada'), [first])
  })

  await test('a mark of the same time in another epoch replaces the kept one', async (open) => {
    const one = await open()
    for (let i = 0; i < 200; i++) {
      const [[early], , [late]] = await Promise.all([readable(one, 'a', 1), one.clear('a'), readable(one, 'a', 1)])
      const isLater = await one.get('a', early!.position) === undefined && await one.get('a', late!.position) !== undefined
      await one.forgetRead('ada', 'a')
      await one.markRead('ada', [early!])
      await one.markRead('ada', [late!])
      assert.deepEqual(await one.readPositions('ada'), [late!.at < early!.at ? early : late])
      if (isLater && early!.at === late!.at) return
    }
  })

  await test('read positions create no room', async (open) => {
    const [one, other] = [await open(), await open()]
    // As if the room had been removed after the entry was read.
    const [removed] = await readable(other, 'a', 1)
    await one.markRead('ada', [removed!])
    assert.deepEqual(await one.readPositions('ada'), [removed])
    const page = await one.read('a', { limit: 0, maxBytes: 0, use: false, readPosition: removed!.position })
    assert.deepEqual([page.unread, page.head.offset], [0, 0])
    await one.forgetRead('ada', 'a')
    await one.markRead('ada', [removed!])
    assert.deepEqual(await namesOf(one), [])
  })

  await test('a store keeps no reference to the positions that it is given', async (open) => {
    const one = await open()
    const [first, second] = await readable(one, 'a', 2)
    const given = [{ ...first! }]
    await one.markRead('ada', given)
    Object.assign(given[0]!, second)
    given.length = 0
    assert.deepEqual(await one.readPositions('ada'), [first])
  })

  await test(`beyond ${MAX_READ_POSITIONS} rooms, the read positions with the lowest times are removed`, async (open) => {
    const one = await open()
    const old = await inRooms(one, 'k', 5)
    const others = await inRooms(one, 'm', MAX_READ_POSITIONS, Math.max(...old.map(({ at }) => at)))
    await one.markRead('ada', [...others.slice(0, 600), ...old])
    await one.markRead('ada', others.slice(600, -5))
    assert.deepEqual(await one.readPositions('ada'), [...old, ...others.slice(0, -5)], 'as many as are kept')
    await one.markRead('ada', others.slice(-5))
    assert.deepEqual(await one.readPositions('ada'), others)
    await one.markRead('ada', old)
    assert.deepEqual(await one.readPositions('ada'), others, 'those that are lower than all others')
    const [late] = await inRooms(one, 'z', 1, Math.max(...others.map(({ at }) => at)))
    await one.markRead('ada', [late!])
    const kept = await one.readPositions('ada')
    const [removed] = others.filter(({ room }) => !kept.some((position) => position.room === room))
    assert.deepEqual([kept.length, kept.at(-1), removed!.at], [MAX_READ_POSITIONS, late, Math.min(...others.map(({ at }) => at))])
    await one.forgetRead('ada', late!.room)
    await one.markRead('ada', [old[0]!])
    assert.deepEqual((await one.readPositions('ada'))[0], old[0], 'there is space for any')
    assert.deepEqual(await one.readPositions('bob'), [])
  })
}
