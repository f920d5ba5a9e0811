import t from 'tap'
import { amended, changedRecord, checkAmendment, stateOfDraft, withState, type Changeable } from '../../src/drivers/entry-state.ts'
import { Reactions } from '../../src/drivers/reactions.ts'
import { MAX_REACTION_PAIRS, MAX_REACTIONS } from '../../src/request-bounds.ts'
import type { Amendment, Change } from '../../src/change.ts'
import type { Entry } from '../../src/store.ts'

const ada = { id: 'ada', name: 'Ada' }
const entry = { from: ada, body: 'hello', data: '1', state: undefined }
const by = (change: Change, more: Partial<Amendment> = {}): Amendment => ({ by: 'ada', change, ...more })
const edit = (body: string, data?: string): Change => ({ edit: { body, data } })
const react = (reaction: string, on = true): Change => ({ react: reaction, on })
const deletion: Change = { delete: true }
const append = (text: string, at: number): Change => ({ append: text, at })
const end: Change = { end: true }
const unfinished: Change = { end: true, unfinished: true }

/** Returns an entry of Ada that is streaming. */
const stream = (body: string): Changeable => ({ body, data: undefined, state: stateOfDraft({ body, streaming: true }) })

/** Returns whether an amendment has an effect. @param idleTime of the stream, in ms */
function check (entry: Changeable & { readonly from?: typeof ada | null }, amendment: Amendment, idleTime = 0): boolean {
  return checkAmendment('a', { from: ada, ...entry }, amendment, () => idleTime)
}

/** Applies changes one after another. Their numbers are their times. */
function after (amendments: readonly Amendment[], first: Changeable = entry): Changeable {
  return amendments.reduce<Changeable>((entry, amendment, i) => amended(entry, amendment, i + 1, i + 1), first)
}

const checks: Array<[title: string, amendments: Amendment[], amendment: Amendment, expected: boolean | string]> = [
  ['an edit of the text', [], by(edit('x', '1')), true],
  ['an edit of the data', [], by(edit('hello')), true],
  ['an edit to the same content', [], by(edit('hello', '1')), false],
  ['an edit of one\'s own message', [], by(edit('x'), { own: 'ada' }), true],
  ['an edit of a message of others', [], by(edit('x'), { own: 'bob' }), 'FST_CHAT_FORBIDDEN'],
  ['a deletion', [], by(deletion), true],
  ['a second deletion', [by(deletion)], by(deletion), false],
  ['a second deletion by others', [by(deletion)], by(deletion, { own: 'bob' }), 'FST_CHAT_FORBIDDEN'],
  ['an edit of a deleted message', [by(deletion)], by(edit('')), 'FST_CHAT_DELETED'],
  ['a reaction to a deleted message', [by(deletion)], by(react('a')), 'FST_CHAT_DELETED'],
  ['a removed reaction to a deleted message', [by(react('a')), by(deletion)], by(react('a', false)), 'FST_CHAT_DELETED'],
  ['a reaction', [], by(react('a')), true],
  ['the same reaction again', [by(react('a'))], by(react('a')), false],
  ['the same reaction of another member', [by(react('a'))], { by: 'bob', change: react('a') }, true],
  ['a reaction that is removed', [by(react('a'))], by(react('a', false)), true],
  ['a reaction that is not there', [by(react('b'))], by(react('a', false)), false],
  ['a reaction of nobody', [], { by: null, change: react('a') }, 'FST_CHAT_INVALID_ARGUMENT']
]
for (const [title, amendments, amendment, expected] of checks) {
  t.test(`${title}: ${expected}`, async (t) => {
    const checked = () => check(after(amendments), amendment)
    if (typeof expected === 'string') t.throws(checked, { code: expected })
    else t.equal(checked(), expected)
  })
}

t.test('a message without an author is nobody\'s own', async (t) => {
  t.throws(() => check({ ...entry, from: null }, by(deletion, { own: 'ada' })), {
    code: 'FST_CHAT_FORBIDDEN', message: "not allowed to change messages of others in room 'a'"
  })
})

t.test('a binary message can be deleted and reacted to, but not edited', async (t) => {
  const binary = { ...entry, body: new Uint8Array(2) }
  t.throws(() => check(binary, by(edit('x'))), { code: 'FST_CHAT_INVALID_CHANGE' })
  t.equal(check(binary, by(react('a'))), true)
  t.equal(check(binary, by(deletion)), true)
  t.equal(after([by(deletion)], binary).body, '')
  for (const change of [append('', 0), append('x', 0)]) t.throws(() => check(binary, by(change)), { code: 'FST_CHAT_STREAM_ENDED' })
  t.equal(check(binary, by(end)), false)
  t.throws(() => stateOfDraft({ body: new Uint8Array(2), streaming: true }), { code: 'FST_CHAT_INVALID_ARGUMENT' })
  t.equal(stateOfDraft({ body: new Uint8Array(2) }), undefined)
})

const streamChecks: Array<[title: string, amendments: Amendment[], amendment: Amendment, expected: boolean | string]> = [
  ['an append', [], by(append('x', 2)), true],
  ['a second append', [by(append('👋', 2))], by(append('x', 3)), true],
  ['an append that is repeated', [by(append('👋', 2))], by(append('👋', 2)), false],
  ['an append of no text', [], by(append('', 2)), false],
  ['an append before the end of the text', [], by(append('x', 1)), 'FST_CHAT_INVALID_CHANGE'],
  ['an append after the end of the text', [], by(append('', 3)), 'FST_CHAT_INVALID_CHANGE'],
  ['an append by others', [], by(append('x', 2), { own: 'bob' }), 'FST_CHAT_FORBIDDEN'],
  ['an append to a stream that ended', [by(end)], by(append('x', 2)), 'FST_CHAT_STREAM_ENDED'],
  ['an append of no text to a stream that ended', [by(end)], by(append('', 2)), 'FST_CHAT_STREAM_ENDED'],
  ['an append that is repeated after the end', [by(append('x', 2)), by(end)], by(append('x', 2)), false],
  ['an append to a deleted message', [by(deletion)], by(append('', 0)), 'FST_CHAT_DELETED'],
  ['an append after a reaction', [by(react('a'))], by(append('x', 2)), true],
  ['an edit while the text grows', [], by(edit('x')), 'FST_CHAT_INVALID_CHANGE'],
  ['an edit to the same text while it grows', [], by(edit('ab')), 'FST_CHAT_INVALID_CHANGE'],
  ['an edit after the end', [by(end)], by(edit('x')), true],
  ['a deletion while the text grows', [], by(deletion), true],
  ['an end', [], by(end), true],
  ['a second end', [by(end)], by(unfinished), false],
  ['an end of a deleted message', [by(deletion)], by(end), 'FST_CHAT_DELETED'],
  ['an end after 10 ms', [], by(unfinished, { idle: 10 }), true],
  ['an end after 11 ms', [], by(unfinished, { idle: 11 }), false]
]
for (const [title, amendments, amendment, expected] of streamChecks) {
  t.test(`streamed text that was renewed 10 ms ago: ${title}: ${expected}`, async (t) => {
    const checked = () => check(after(amendments, stream('ab')), amendment, 10)
    if (typeof expected === 'string') t.throws(checked, { code: expected })
    else t.equal(checked(), expected)
  })
}

t.test('an append and an end of an entry that never streamed', async (t) => {
  t.throws(() => check(entry, by(append('x', 5))), { code: 'FST_CHAT_STREAM_ENDED' })
  t.equal(check(entry, by(append('lo', 3))), false)
  t.equal(check(entry, by(end)), false)
})

t.test('appends extend the text, and the length of the text in code points', async (t) => {
  const { body, data, state } = after([by(append('👋', 1)), by(react('a')), by(append('ü', 2))], stream('x'))
  t.strictSame([body, data, state?.number, state?.editedAt, state?.streamed, state?.isUnfinished], ['x👋ü', undefined, 3, undefined, 3, false])
  t.strictSame(state?.reactions?.list(undefined), [{ reaction: 'a', count: 1 }])
})

t.test('an end stops the streaming and keeps everything else', async (t) => {
  const { body, state } = after([by(react('a')), by(end)], stream('x'))
  t.strictSame([body, state?.number, state?.streamed, state?.isUnfinished, state?.reactions?.count('a')], ['x', 2, undefined, false, 1])
  t.equal(after([by(unfinished), by(edit('y'))], stream('x')).state?.isUnfinished, true, 'an edit keeps that it is unfinished')
  t.equal(after([by(unfinished), by(deletion)], stream('x')).state?.isUnfinished, false)
})

t.test('an entry has the reactions that its bounds allow, and repeats have no effect beyond them', async (t) => {
  const different = after(Array.from({ length: MAX_REACTIONS }, (_, i) => by(react(`${i}`))))
  const full = { code: 'FST_CHAT_TOO_MANY_REACTIONS' }
  t.throws(() => check(different, by(react('another'))), full)
  t.equal(check(different, { by: 'bob', change: react('0') }), true)
  t.equal(check(different, by(react('0'))), false)
  const pairs = after(Array.from({ length: MAX_REACTION_PAIRS }, (_, i) => ({ by: `member ${i}`, change: react('a') })))
  t.throws(() => check(pairs, by(react('a'))), full)
  t.equal(check(pairs, { by: 'member 0', change: react('a', false) }), true)
})

t.test('an edit replaces text and data and keeps the reactions', async (t) => {
  const { body, data, state } = after([by(react('a')), by(edit('x'))])
  t.strictSame([body, data, state?.number, state?.at, state?.editedAt, state?.isDeleted], ['x', undefined, 2, 2, 2, false])
  t.strictSame(state?.reactions?.list(undefined), [{ reaction: 'a', count: 1 }])
})

t.test('a reaction keeps content and time of the edit', async (t) => {
  const { body, data, state } = after([by(edit('x', '2')), by(react('a'))])
  t.strictSame([body, data, state?.number, state?.editedAt], ['x', '2', 2, 1])
})

t.test('a deletion removes everything but the number and time of the change', async (t) => {
  t.strictSame(after([by(edit('x', '2')), by(react('a')), by(deletion)]),
    { body: '', data: undefined, state: { number: 3, at: 3, editedAt: undefined, isDeleted: true, streamed: undefined, isUnfinished: false, reactions: undefined } })
})

t.test('an entry is returned with the properties that apply', async (t) => {
  const read = { offset: 1, position: 'p', at: 0, from: ada, body: 'x' }
  const result = (amendments: Amendment[], member?: string) => withState(read, after(amendments).state!, 'r', after(amendments).state!.editedAt, member)
  t.strictSame(result([by(edit('x'))]), { ...read, revision: 'r', editedAt: 1 })
  t.strictSame(result([by(deletion)]), { ...read, revision: 'r', deleted: true })
  t.strictSame(result([by(react('a'))]), { ...read, revision: 'r', reactions: [{ reaction: 'a', count: 1 }] })
  t.strictSame(result([by(react('a'))], 'bob'), { ...read, revision: 'r', reactions: [{ reaction: 'a', count: 1 }] })
  t.strictSame(result([by(react('a'))], 'ada'), { ...read, revision: 'r', reactions: [{ reaction: 'a', count: 1, mine: true }] })
  t.strictSame(result([by(react('a')), by(react('a', false))]), { ...read, revision: 'r' })
  t.strictSame(withState(read, stream('x').state!, undefined, undefined, undefined), { ...read, streaming: true }, 'without a revision')
  t.strictSame(withState(read, after([by(unfinished)], stream('x')).state!, 'r', undefined, undefined), { ...read, revision: 'r', unfinished: true })
})

t.test('the record of a change has what changed, and the count of a reaction', async (t) => {
  const change = { number: 1, revision: 'r' }
  const ended: Entry = { offset: 1, position: 'p', at: 0, from: ada, body: 'x' }
  const record = (amendment: Amendment, before: Amendment[] = []) => {
    const entry = () => 'end' in amendment.change ? ended : t.fail('not called')
    return changedRecord({ offset: 1, position: 'p' }, change, 5, amendment, after([...before, amendment], stream('')).state!, entry as () => Entry)
  }
  const common = { offset: 1, position: 'p', change, at: 5, by: 'ada' }
  t.strictSame(record(by(edit('x'))), { ...common, made: edit('x') })
  t.strictSame(record({ by: null, change: deletion }), { ...common, by: null, made: deletion })
  t.strictSame(record(by(react('a')), [{ by: 'bob', change: react('a') }]), { ...common, made: react('a'), count: 2 })
  t.strictSame(record(by(react('a', false)), [by(react('a'))]), { ...common, made: react('a', false), count: 0 })
  t.strictSame(record(by(append('x', 0))), { ...common, made: append('x', 0) })
  t.strictSame(record(by(unfinished)), { ...common, made: unfinished, ended })
})

t.test('reactions are listed in the order of their first use since they had no members', async (t) => {
  const reactions = new Reactions()
  for (const [reaction, member] of [['b', 'x'], ['a', 'x'], ['b', 'y'], ['__proto__', 'x'], ['1', 'x']] as const) reactions.add(reaction, member)
  reactions.add('b', 'x')
  reactions.delete('c', 'x')
  reactions.delete('a', 'y')
  const order = () => reactions.list('y').map(({ reaction, count, mine = false }) => [reaction, count, mine])
  t.strictSame(order(), [['b', 2, true], ['a', 1, false], ['__proto__', 1, false], ['1', 1, false]])
  reactions.delete('a', 'x')
  reactions.add('a', 'x')
  t.strictSame(order(), [['b', 2, true], ['__proto__', 1, false], ['1', 1, false], ['a', 1, false]])
  t.strictSame(new Reactions(reactions).list('y'), reactions.list('y'))
})
