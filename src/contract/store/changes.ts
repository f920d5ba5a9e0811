import assert from 'node:assert/strict'
import type { Amendment } from '../../change.ts'
import type { Store } from '../../store.ts'
import { MAX_REACTION_PAIRS, MAX_REACTIONS } from '../../request-bounds.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, bodies, cursor, deletion, edit, fill, react, says, summary, upTo } from './entries.ts'

const ada = { id: 'i d', name: 'ädä' }

/** Appends an entry of a member, with data and a key. Resolves with the entry. */
async function post (store: Store, room: string) {
  const { position } = await store.append(room, says('hello', { from: ada, data: '{"a":1}', key: 'k', hash: 'h' }))
  return (await store.get(room, position))!
}

/** Checks that changes have their effect on entries, and that others are refused. */
export async function changesPromises (test: StoreSubtest): Promise<void> {
  await test('an edit replaces body and data, and changes nothing else', async (open) => {
    const one = await open()
    await fill(one, 'a', 2)
    const before = await post(one, 'a')
    const { data: _, ...kept } = before
    for (const [body, data] of [['grüße 👋\u0000\n', undefined], ['', '"\u2028 grüße 👋"'], ['x'.repeat(20_000), 'null'], ['hello', '{ "__proto__": 1.0 }']] as const) {
      const { revision, again } = await one.amend('a', before.position, edit(body, {}, data))
      assert.equal(again, false)
      const { editedAt = 0, ...entry } = (await one.get('a', before.position))!
      assert.deepEqual(entry, { ...kept, body, revision, ...data !== undefined && { data } })
      assert.equal(editedAt >= before.at, true)
      assert.deepEqual((await one.read('a', all)).entries.at(-1), { ...entry, editedAt })
    }
    assert.deepEqual(bodies(await one.read('a', all)).slice(0, 2), ['x', 'x'])
  })

  await test('a deletion removes content and reactions, and keeps everything else', async (open) => {
    const one = await open()
    const positions = await fill(one, 'a', 3)
    const { offset, position, at, from } = await post(one, 'a')
    await one.amend('a', position, edit('secret'))
    await one.amend('a', position, react('👍', 'i d'))
    const { revision, again } = await one.amend('a', position, deletion)
    assert.equal(again, false)
    const { entries, head } = await one.read('a', { ...all, after: positions[2]! })
    assert.deepEqual(entries, [{ offset, position, at, from, body: '', revision, deleted: true }])
    assert.deepEqual(cursor(head), { offset, position })
    assert.deepEqual(summary(await one.read('a', { ...all, after: position })), { complete: true, numbers: [], more: false }, 'its position is still valid')
    assert.equal((await one.append('a', says('hello', { key: 'k', hash: 'h' }))).again, true, 'its key is still known')
    assert.deepEqual(bodies(await one.read('a', all)), ['x', 'x', 'x', ''], 'nothing else is deleted')
  })

  await test('reactions are counted, in the order of their first use, with mine for one member', async (open) => {
    const one = await open()
    const { position } = await post(one, 'a')
    const reactions = async (member?: string) => (await one.get('a', position, { for: member }))!.reactions
    for (const [reaction, member] of [['👍', 'a'], ['1', 'a'], ['👍', 'b'], ['__proto__', 'ü'], ['👩🏽‍🚀', 'b'], ['0', 'a']] as const) {
      assert.equal((await one.amend('a', position, react(reaction, member))).again, false)
    }
    const all = [['👍', 2], ['1', 1], ['__proto__', 1], ['👩🏽‍🚀', 1], ['0', 1]] as const
    assert.deepEqual(await reactions(), all.map(([reaction, count]) => ({ reaction, count })))
    const mine = ['👍', '👩🏽‍🚀'] as string[]
    assert.deepEqual(await reactions('b'), all.map(([reaction, count]) => ({ reaction, count, ...mine.includes(reaction) && { mine: true } })))
    assert.deepEqual((await one.read('a', { limit: 1, maxBytes: 1, for: 'ü' })).entries[0]!.reactions!.map(({ mine }) => mine), [undefined, undefined, true, undefined, undefined])
    await one.amend('a', position, react('👍', 'a', false))
    await one.amend('a', position, react('1', 'a', false))
    await one.amend('a', position, react('1', 'b'))
    assert.deepEqual(await reactions(), [['👍', 1], ['__proto__', 1], ['👩🏽‍🚀', 1], ['0', 1], ['1', 1]].map(([reaction, count]) => ({ reaction, count })), 'the last one had no members meanwhile')
    await one.amend('a', position, edit('x'))
    assert.equal((await reactions())!.length, 5, 'an edit keeps them')
    for (const [reaction, member] of [['👍', 'b'], ['1', 'b'], ['__proto__', 'ü'], ['👩🏽‍🚀', 'b'], ['0', 'a']] as const) await one.amend('a', position, react(reaction, member, false))
    assert.equal('reactions' in (await one.get('a', position))!, false)
  })

  await test('changes are numbered 1, 2, 3 … in call order, separately in each room', async (open) => {
    const one = await open()
    const rooms = ['a', 'b', 'a:b', '__proto__']
    const positions = await Promise.all(rooms.map(async (room) => (await one.append(room, says('x'))).position))
    const beginning = (await one.read('a', all)).head.change
    assert.equal(beginning.number, 0)
    const changes = await Promise.all(upTo(400).map((i) => one.amend(rooms[i % 4]!, positions[i % 4]!, i % 3 === 0 ? react(`${i % 5}`, `${i}`) : edit(`${i}`))))
    assert.deepEqual(changes.map(({ number }) => number), upTo(400).map((i) => Math.ceil(i / 4)))
    const revisions = [beginning, ...changes].map(({ revision }) => revision)
    assert.equal(new Set([...revisions, ...positions]).size, 405, 'each change has its own revision, which is no position')
    for (const revision of revisions) assert.match(revision, /^[\w.-]{1,128}$/, 'a revision needs no escaping in JSON')
    for (const [r, room] of rooms.entries()) {
      const { number, revision } = changes[395 + (r === 0 ? 4 : r)]!
      const { head, entries } = await one.read(room, all)
      assert.deepEqual(head.change, { number, revision }, room)
      assert.equal(entries[0]!.revision, revision)
    }
  })

  await test('a change without an effect resolves with again and leaves no change', async (open) => {
    const one = await open()
    const [first, second] = await fill(one, 'a', 2) as [string, string]
    const { head } = await one.read('a', all)
    assert.deepEqual(await one.amend('a', first, edit('x')), { ...head.change, again: true }, 'of an entry that never changed: the head')
    assert.deepEqual(await one.amend('a', first, react('a', 'ada', false)), { ...head.change, again: true })
    const none: Array<[title: string, effective: Amendment, repeats: Amendment[]]> = [
      ['an edit', edit('y', {}, '1'), [edit('y', {}, '1'), edit('y', { by: 'bob' }, '1')]],
      ['a reaction', react('a', 'ada'), [react('a', 'ada'), react('b', 'ada', false), react('a', 'bob', false)]],
      ['a removed reaction', react('a', 'ada', false), [react('a', 'ada', false)]],
      ['a deletion', deletion, [deletion, { ...deletion, by: 'ada' }]]
    ]
    for (const [title, effective, repeats] of none) {
      const { number, revision, again } = await one.amend('a', first, effective)
      assert.equal(again, false, title)
      const other = await one.amend('a', second, react(title, 'ada'))
      const before = await one.get('a', first)
      for (const repeat of repeats) assert.deepEqual(await one.amend('a', first, repeat), { number, revision, again: true }, title)
      assert.deepEqual(await one.get('a', first), before, title)
      assert.deepEqual((await one.read('a', all)).head.change, { number: other.number, revision: other.revision }, title)
    }
  })

  await test('a change is rejected with the first error that applies, and leaves nothing behind', async (open) => {
    const one = await open()
    const own = (amendment: Amendment, id = 'i d'): Amendment => ({ ...amendment, own: id })
    const { position } = await post(one, 'a')
    const { position: app } = await one.append('a', says('of the app'))
    const { position: deleted } = await one.append('a', says('x', { from: ada }))
    const { position: binary } = await one.append('a', says(Uint8Array.of(1, 2), { from: ada }))
    const { position: elsewhere } = await post(one, 'b')
    await one.amend('a', deleted, own(deletion))
    await one.amend('a', position, own(edit('edited')))
    const before = await one.read('a', all)
    const cases: Array<[title: string, position: string, amendment: Amendment, code: string]> = [
      ['no position', '', deletion, 'NOT_KEPT'],
      ['nonsense', 'x', own(edit('y'), 'other'), 'NOT_KEPT'],
      ['the position of another room', elsewhere, edit('y'), 'NOT_KEPT'],
      ['a revision', before.revision, edit('y'), 'NOT_KEPT'],
      ['an edit of a message of others', position, own(edit('y'), 'other'), 'FORBIDDEN'],
      ['a deletion of a message of others', position, own(deletion, 'other'), 'FORBIDDEN'],
      ['a reaction to a message of others', position, own(react('a', 'other'), 'other'), 'FORBIDDEN'],
      ['the same text in a message of others', position, own(edit('edited'), 'other'), 'FORBIDDEN'],
      ["a part of the author's id", position, own(edit('y'), 'i'), 'FORBIDDEN'],
      ['no id', position, own(edit('y'), ''), 'FORBIDDEN'],
      ['a message of the app', app, own(edit('y')), 'FORBIDDEN'],
      ['a deleted message of others', deleted, own(deletion, 'other'), 'FORBIDDEN'],
      ['an edit of a deleted message', deleted, own(edit('')), 'DELETED'],
      ['a reaction to a deleted message', deleted, react('a', 'ada'), 'DELETED'],
      ['a removed reaction of a deleted message', deleted, react('a', 'ada', false), 'DELETED'],
      ['an edit of a binary message', binary, own(edit('y')), 'INVALID_CHANGE']
    ]
    for (const [title, at, amendment, code] of cases) await assert.rejects(one.amend('a', at, amendment), { code: `FST_CHAT_${code}` }, title)
    await assert.rejects(one.amend('empty', position, deletion), { code: 'FST_CHAT_NOT_KEPT' }, 'a room that was never used')
    await assert.rejects(one.amend('a', position, edit(undefined as unknown as string)), 'no text')
    assert.deepEqual(await one.read('a', all), before)
    await one.amend('a', binary, react('a', 'ada'))
    assert.equal((await one.amend('a', binary, deletion)).again, false, 'a binary message can be deleted')
    assert.equal((await one.get('a', binary))!.body, '')
  })

  await test('an entry has a bounded number of reactions', async (open) => {
    const one = await open()
    const [first, second] = await fill(one, 'a', 2) as [string, string]
    const full = { code: 'FST_CHAT_TOO_MANY_REACTIONS' }
    await Promise.all(upTo(MAX_REACTIONS).map((i) => one.amend('a', first, react(`${i}`, 'ada'))))
    await assert.rejects(one.amend('a', first, react('another', 'bob')), full)
    assert.equal((await one.amend('a', first, react('1', 'ada'))).again, true)
    await one.amend('a', first, react('1', 'bob'))
    await one.amend('a', first, react('2', 'ada', false))
    await one.amend('a', first, react('another', 'bob'))

    await Promise.all(upTo(MAX_REACTION_PAIRS).map((i) => one.amend('a', second, react(`${i % 2}`, `member ${i}`))))
    await assert.rejects(one.amend('a', second, react('0', 'another')), full)
    await one.amend('a', second, react('0', 'member 2', false))
    await one.amend('a', second, react('0', 'another'))
    const half = MAX_REACTION_PAIRS / 2
    assert.deepEqual((await one.get('a', second, { for: 'another' }))!.reactions!.map(({ reaction, ...rest }) => [reaction, rest]).toSorted(), [['0', { count: half, mine: true }], ['1', { count: half }]])
    await one.amend('a', second, edit('y'))
    await one.amend('a', second, deletion)
  })

  await test('get resolves with the kept entry at a position', async (open) => {
    const one = await open()
    const beginning = (await one.read('a', all)).head.position
    const positions = await fill(one, 'a', 3)
    const { entries, revision } = await one.read('a', all)
    for (const [i, position] of positions.entries()) assert.deepEqual(await one.get('a', position), entries[i])
    for (const position of [beginning, revision, '', 'x']) assert.equal(await one.get('a', position), undefined, position)
    assert.equal(await one.get('b', positions[0]!), undefined)
  })

  await test('rooms returns the kept rooms', async (open) => {
    const one = await open()
    const rooms = upTo(1_200).map((i) => `room ${i}`)
    await Promise.all([...rooms, '__proto__'].map((room) => one.append(room, says('x'))))
    await one.read('a', all)
    const names: string[] = []
    for await (const page of one.rooms()) names.push(...page)
    const kept = names.filter((name) => rooms.includes(name) || name === '__proto__')
    assert.deepEqual([...new Set(kept)].toSorted(), [...rooms, '__proto__'].toSorted())
  })

  await test('a read that is no use returns the same page, and creates no room', async (open) => {
    const one = await open()
    const positions = await fill(one, 'a', 3)
    const { revision } = await one.amend('a', positions[0]!, edit('edited'))
    for (const query of [all, { ...all, limit: 1 }, { ...all, before: positions[2]! }, { ...all, after: positions[1]!, revision }]) {
      assert.deepEqual(await one.read('a', { ...query, use: false }), await one.read('a', query))
    }
    const { entries, complete, more, changed, moreChanged, head } = await one.read('unused', { ...all, use: false })
    assert.deepEqual([entries, complete, more, changed, moreChanged, head.offset, head.change.number], [[], true, false, [], false, 0, 0])
    for (const position of positions) assert.equal((await one.read('unused', { ...all, before: position, use: false })).complete, false)
    for await (const page of one.rooms()) assert.equal(!page.includes('unused'), true)
  })
}
