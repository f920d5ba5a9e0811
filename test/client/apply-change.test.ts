import t from 'tap'
import { applyChange, type Change, type Message } from '../../src/client/node.ts'

const message: Message = { room: 'lobby', position: 'p1', at: '2026-01-01T00:00:00.000Z', from: null, text: 'one', data: { n: 1 } }
const at = { position: 'p1', revision: 'r1' }
const editedAt = '2026-01-01T00:00:01.000Z'

const { text: _text, data: _data, ...head } = message
const growing = { ...head, text: 'a😀b', streaming: true }

const cases: ReadonlyArray<[what: string, before: object, change: Partial<Change>, after: object]> = [
  ['an edit replaces text and data', message, { text: 'two', data: [2], editedAt }, { ...message, text: 'two', data: [2], editedAt }],
  ['an edit without data removes the data', message, { text: 'two', editedAt }, { room: 'lobby', position: 'p1', at: message.at, from: null, text: 'two', editedAt }],
  ['an edit keeps the reactions',
    { ...message, reactions: [{ reaction: '👍', count: 1 }] }, { text: 'two', data: 3, editedAt },
    { ...message, text: 'two', data: 3, editedAt, reactions: [{ reaction: '👍', count: 1 }] }],
  ['a deletion leaves an empty text',
    { ...message, editedAt, reactions: [{ reaction: '👍', count: 1, mine: true }] }, { deleted: true },
    { room: 'lobby', position: 'p1', at: message.at, from: null, text: '', deleted: true }],
  ['a deletion removes bytes',
    { room: 'lobby', position: 'p1', at: message.at, from: null, bytes: 'AA==' }, { deleted: true },
    { room: 'lobby', position: 'p1', at: message.at, from: null, text: '', deleted: true }],
  ['a reaction is added behind the others',
    { ...message, reactions: [{ reaction: '👍', count: 2 }] }, { reactions: [{ reaction: '🎉', count: 1, mine: true }] },
    { ...message, reactions: [{ reaction: '👍', count: 2 }, { reaction: '🎉', count: 1, mine: true }] }],
  ["another member's reaction keeps mine",
    { ...message, reactions: [{ reaction: '👍', count: 1, mine: true }, { reaction: '🎉', count: 1 }] }, { reactions: [{ reaction: '👍', count: 2 }] },
    { ...message, reactions: [{ reaction: '👍', count: 2, mine: true }, { reaction: '🎉', count: 1 }] }],
  ['mine: false removes mine',
    { ...message, reactions: [{ reaction: '👍', count: 2, mine: true }] }, { reactions: [{ reaction: '👍', count: 1, mine: false }] },
    { ...message, reactions: [{ reaction: '👍', count: 1 }] }],
  ['a count of 0 removes a reaction, and the last one the list',
    { ...message, reactions: [{ reaction: '👍', count: 1, mine: true }] }, { reactions: [{ reaction: '👍', count: 0, mine: false }] }, message],
  ['a whole change replaces the list, and keeps mine unless it has it',
    { ...message, reactions: [{ reaction: '👍', count: 1 }, { reaction: '🎉', count: 1, mine: true }] },
    { whole: true, text: 'one', data: { n: 1 }, reactions: [{ reaction: '🎉', count: 3 }, { reaction: '🚀', count: 1, mine: true }] },
    { ...message, reactions: [{ reaction: '🎉', count: 3, mine: true }, { reaction: '🚀', count: 1, mine: true }] }],
  ['a whole change without reactions removes them',
    { ...message, reactions: [{ reaction: '👍', count: 1 }] }, { whole: true, text: 'one', data: { n: 1 }, reactions: [] }, message],
  ['text is appended behind the last code point', growing, { appended: { at: 3, text: '😀' } }, { ...growing, text: 'a😀b😀' }],
  ['a text that is longer already is cut first', growing, { appended: { at: 1, text: '😀bcd' } }, { ...growing, text: 'a😀bcd' }],
  ['text is appended to an empty text', { ...growing, text: '' }, { appended: { at: 0, text: 'a' } }, { ...growing, text: 'a' }],
  ['the end removes streaming, also with the last text', growing, { appended: { at: 3, text: 'c' }, ended: true }, { ...head, text: 'a😀bc' }],
  ['an end before the text is complete is marked', growing, { ended: true, unfinished: true }, { ...head, text: 'a😀b', unfinished: true }],
  ['text of a message that ended is older than the message', { ...head, text: 'edited', unfinished: true }, { appended: { at: 3, text: 'c' } },
    { ...head, text: 'edited', unfinished: true }],
  ['text beyond the end of the message is not appended', growing, { appended: { at: 4, text: 'c' } }, growing],
  ['reactions leave a message streaming', growing, { reactions: [{ reaction: '👍', count: 1 }] }, { ...growing, reactions: [{ reaction: '👍', count: 1 }] }],
  ['an edit leaves a message unfinished', { ...head, text: 'a', unfinished: true }, { text: 'b', editedAt }, { ...head, text: 'b', editedAt, unfinished: true }],
  ['a whole change replaces the state of the streaming', growing, { whole: true, text: 'abc', unfinished: true, reactions: [] }, { ...head, text: 'abc', unfinished: true }],
  ['a whole change of a message that grows', growing, { whole: true, text: 'a😀bc', streaming: true, reactions: [] }, { ...growing, text: 'a😀bc' }],
  ['a deletion ends the streaming', growing, { deleted: true }, { ...head, text: '', deleted: true }]
]

for (const [what, before, change, after] of cases) {
  t.test(what, async (t) => {
    const given = structuredClone(before) as Message
    const changed = applyChange(given, { ...at, ...change })
    t.strictSame(changed, { ...after, revision: 'r1' })
    t.strictSame(applyChange(changed, { ...at, ...change }), changed, 'twice')
    t.strictSame(given, before, 'the message that was passed is unchanged')
  })
}

t.test('a deleted message stays deleted', async (t) => {
  const deleted = applyChange(message, { ...at, deleted: true })
  t.equal(applyChange(deleted, { position: 'p1', revision: 'r2', text: 'back', editedAt }), deleted)
})

t.test('a text that grew by many pieces can be cut in each of them', async (t) => {
  const pieces = ['😀', 'a', '', 'b😀c', '\ud83d', 'd']
  const whole = [...pieces.join('')]
  const grown = () => pieces.reduce<{ message: Message, length: number }>(({ message, length }, text) => ({
    message: applyChange(message, { ...at, appended: { at: length, text } }), length: length + [...text].length
  }), { message: { ...growing, text: '', streaming: true }, length: 0 }).message
  t.equal(grown().text, whole.join(''))
  for (let length = 0; length <= whole.length; length++) {
    const cut = applyChange(grown(), { ...at, appended: { at: length, text: 'x😀' } })
    t.equal(cut.text, `${whole.slice(0, length).join('')}x😀`)
    t.equal(applyChange(cut, { ...at, appended: { at: length + 2, text: 'y' } }).text, `${cut.text}y`)
  }
})
