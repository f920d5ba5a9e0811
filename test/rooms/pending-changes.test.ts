import t from 'tap'
import type { Changed } from '../../src/change.ts'
import { PendingChanges } from '../../src/rooms/batch/pending-changes.ts'
import type { Entry } from '../../src/store.ts'

const cursor = (offset: number, number: number) => ({ offset, position: `p${offset}`, change: { number, revision: `r${number}` }, at: number })
const edit = (offset: number, number: number, body: string, data?: string): Changed => ({ ...cursor(offset, number), by: 'ada', made: { edit: { body, data } } })
const remove = (offset: number, number: number): Changed => ({ ...cursor(offset, number), by: 'ada', made: { delete: true } })
const react = (offset: number, number: number, count: number, { by = 'ada', on = true, reaction = '👍' } = {}): Changed =>
  ({ ...cursor(offset, number), by, made: { react: reaction, on }, count })
const whole = (offset: number, number: number, entry: Partial<Entry> = {}): Changed =>
  ({ ...cursor(offset, number), entry: { offset, position: `p${offset}`, at: 0, from: null, body: 'whole', revision: `r${number}`, ...entry } })

const append = (offset: number, number: number, at: number, text: string): Changed => ({ ...cursor(offset, number), by: null, made: { append: text, at } })
const end = (offset: number, number: number, body: string, unfinished?: true): Changed =>
  ({ ...cursor(offset, number), by: null, made: { end: true, unfinished }, ended: { offset, position: `p${offset}`, at: 0, from: null, body, unfinished } })

function pending (...changes: Changed[]): PendingChanges {
  const pending = new PendingChanges()
  for (const changed of changes) pending.push(changed)
  return pending
}

/** Returns the only change that the changes of one entry are merged into. */
function merged (...changes: Changed[]) {
  const items = pending(...changes).take(Infinity, Infinity)
  t.equal(items.length, 1)
  return items[0]!
}

t.test('the changes of one entry become one, at the place of the last', async (t) => {
  const changes = pending(edit(1, 1, 'a'), edit(2, 2, 'b'), react(1, 3, 1), edit(3, 4, 'c'), edit(2, 5, 'd'))
  t.strictSame([changes.size, changes.next, changes.earliest], [3, 3, 1])
  t.match(changes.take(Infinity, Infinity), [
    { offset: 1, first: 1, last: 3, merged: { position: 'p1', revision: 'r3', edit: { body: 'a', at: 1 } } },
    { offset: 3, first: 4, last: 4, merged: { edit: { body: 'c' } } },
    { offset: 2, first: 2, last: 5, merged: { revision: 'r5', edit: { body: 'd', at: 5 } } }
  ])
  t.strictSame([changes.size, changes.cost, changes.next, changes.earliest], [0, 0, Infinity, Infinity])
})

t.test('the last edit and the last count of each reaction are kept', async (t) => {
  const { merged: { edit: content, reactions }, reactors } = merged(
    edit(1, 1, 'a', '1'), react(1, 2, 1), react(1, 3, 2, { by: 'bob' }), edit(1, 4, 'b'), react(1, 5, 1, { on: false }), react(1, 6, 1, { reaction: '🎉' }))
  t.strictSame(content, { body: 'b', data: undefined, at: 4 })
  t.strictSame([...reactions!], [['👍', 1], ['🎉', 1]])
  t.strictSame([...reactors!].map(([id, own]) => [id, [...own]]), [['ada', [['👍', false], ['🎉', true]]], ['bob', [['👍', true]]]])
})

t.test('a deletion replaces all changes before it', async (t) => {
  const { merged: change, reactors } = merged(edit(1, 1, 'a'), react(1, 2, 1), remove(1, 3))
  t.strictSame(change, { position: 'p1', revision: 'r3', deleted: true })
  t.equal(reactors, undefined)
})

t.test('a whole entry replaces all changes before it and takes up those after it', async (t) => {
  const reactions = [{ reaction: '👍', count: 3 }, { reaction: '🎉', count: 1 }]
  const { merged: { whole: entry, ...rest } } = merged(
    edit(1, 1, 'a'), whole(1, 2, { reactions }), edit(1, 3, 'b', '2'), react(1, 4, 4), react(1, 5, 0, { reaction: '🎉' }), react(1, 6, 1, { reaction: '🚀' }))
  t.match(entry, { body: 'b', data: '2', editedAt: 3, revision: 'r6' })
  t.strictSame(entry!.reactions, [{ reaction: '👍', count: 4 }, { reaction: '🚀', count: 1 }])
  t.strictSame(rest, { position: 'p1', revision: 'r6' })
  t.match(merged(whole(1, 1), remove(1, 2)).merged, { deleted: true, whole: undefined })
})

t.test('a change is not taken before its entry, and those after it wait too', async (t) => {
  const changes = pending(edit(1, 1, 'a'), edit(5, 2, 'b'), edit(2, 3, 'c'))
  const offsets = (lastOffset: number) => changes.take(lastOffset, Infinity).map(({ offset }) => offset)
  t.strictSame([offsets(4), offsets(4), offsets(5)], [[1], [], [5, 2]])
})

t.test('changes are taken up to a cost, and at least one', async (t) => {
  const changes = pending(edit(1, 1, 'x'.repeat(1_000)), edit(2, 2, 'x'.repeat(1_000)), edit(3, 3, 'x'))
  t.ok(changes.cost > 4_000)
  t.equal(changes.take(Infinity, 1).length, 1)
  t.equal(changes.take(Infinity, 1).length, 1)
  t.ok(changes.cost < 2_000, `${changes.cost}`)
})

t.test('1,000 members that react to one entry cost one change and their ids', async (t) => {
  const changes = new PendingChanges()
  for (let i = 1; i <= 1_000; i++) changes.push(react(1, i, i, { by: `member ${i}` }))
  t.equal(changes.size, 1)
  t.ok(changes.cost < 1_000 * 600, `${changes.cost}`)
  const [item] = changes.take(Infinity, 1)
  t.strictSame([item!.reactors!.size, [...item!.merged.reactions!]], [1_000, [['👍', 1_000]]])
})

t.test('8,000 changes of one entry with ever new reactions become items of at most 40 reactions', async (t) => {
  const changes = new PendingChanges()
  let before = 0
  for (let i = 1; i <= 8_000; i++) {
    changes.push(react(1, i, i % 2, { reaction: `${(i + 1) >> 1}`, by: `member ${i % 10}`, on: i % 2 === 1 }))
    if (changes.cost < before) t.fail('the cost rises')
    before = changes.cost
  }
  t.ok(changes.cost < 8_000 * 1_500, `${changes.cost}`)
  const taken = changes.take(Infinity, Infinity)
  t.equal(taken.length, 100)
  t.equal(Math.max(...taken.map(({ merged: { reactions } }) => reactions!.size)), 40)
  t.strictSame(taken.map(({ last }) => last), taken.map(({ last }) => last).toSorted((a, b) => a - b))
  t.strictSame([taken[0]!.first, taken.at(-1)!.last, changes.size, changes.cost], [1, 8_000, 0, 0])
  t.strictSame(taken.flatMap(({ merged: { reactions } }) => [...reactions!.values()]).filter((count) => count > 0), [], 'the last counts')
})

t.test('each reaction of one member is charged', async (t) => {
  const changes = pending(react(1, 1, 1))
  const { cost } = changes
  for (let i = 2; i <= 40; i++) changes.push(react(1, i, 1, { reaction: `${i}` }))
  t.ok(changes.cost > cost + 39 * 600, `${changes.cost}`)
})

t.test('a deletion replaces all items of its entry that wait', async (t) => {
  const changes = new PendingChanges()
  for (let i = 1; i <= 100; i++) changes.push(react(1, i, 1, { reaction: `${i}` }))
  t.equal(changes.size, 3)
  changes.take(Infinity, 1)
  changes.push(edit(2, 101, 'a'))
  changes.push(remove(1, 102))
  t.match(changes.take(Infinity, Infinity), [{ offset: 2 }, { first: 41, last: 102, merged: { deleted: true } }])
  t.strictSame([changes.size, changes.cost], [0, 0])
})

t.test('own reactions before a whole entry are sent before it, and are not part of it', async (t) => {
  const changes = pending(react(1, 1, 1), edit(1, 2, 'a'), whole(1, 3, { reactions: [{ reaction: '👍', count: 1 }] }), react(1, 4, 2, { by: 'bob' }))
  const [first, second] = changes.take(Infinity, Infinity)
  t.strictSame([first!.last, [...first!.reactors!.keys()]], [2, ['ada']])
  t.strictSame([second!.last, [...second!.reactors!.keys()], second!.merged.whole!.reactions], [4, ['bob'], [{ reaction: '👍', count: 2 }]])
})

t.test('appends that follow each other become one, and its end and reactions join them', async (t) => {
  const { merged: change, ended } = merged(append(1, 1, 3, 'a😀'), react(1, 2, 1), append(1, 3, 5, 'b'), end(1, 4, 'xyza😀b', true))
  t.match(change, { revision: 'r4', appended: { at: 3, end: 6, text: 'a😀b' }, ended: true, unfinished: true })
  t.strictSame([...change.reactions!], [['👍', 1]])
  t.match(ended, { number: 4, entry: { body: 'xyza😀b', unfinished: true } })
})

t.test('an append that does not follow the one before begins another item', async (t) => {
  const changes = pending(append(1, 1, 0, 'ab'), append(1, 2, 5, 'c'), append(1, 3, 6, 'd'))
  t.match(changes.take(Infinity, Infinity), [{ first: 1, last: 1, merged: { appended: { at: 0, text: 'ab' } } }, { first: 2, last: 3, merged: { appended: { at: 5, text: 'cd' } } }])
})

t.test('a whole entry takes up appends and the end after it', async (t) => {
  const { merged: { whole: entry } } = merged(whole(1, 1, { streaming: true }), append(1, 2, 5, '!'), end(1, 3, 'whole!'))
  t.match(entry, { body: 'whole!', streaming: undefined, unfinished: undefined, revision: 'r3' })
})

t.test('an edit after the end replaces the text that was added, and keeps the end', async (t) => {
  t.match(merged(append(1, 1, 0, 'a'), end(1, 2, 'a'), edit(1, 3, 'b')).merged, { edit: { body: 'b' }, appended: undefined, ended: true })
})

t.test('a deletion removes what was added', async (t) => {
  const { merged: change, ended } = merged(append(1, 1, 0, 'a'), end(1, 2, 'a'), remove(1, 3))
  t.strictSame(change, { position: 'p1', revision: 'r3', deleted: true })
  t.equal(ended, undefined)
})

t.test('the cost of appends counts their text and each piece', async (t) => {
  const [few, many] = [1, 1_000].map((pieces) => {
    const changes = new PendingChanges()
    for (let i = 0; i < pieces; i++) changes.push(append(1, i + 1, i * 1_000 / pieces, 'x'.repeat(1_000 / pieces)))
    t.equal(changes.size, 1)
    return changes.cost
  })
  t.ok(few! > 2_000)
  t.ok(many! > few! + 50_000)
})
