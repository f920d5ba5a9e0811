import t from 'tap'
import { applyChange, type Change, type Message } from '../../src/client/index.ts'

const message: Message = { room: 'lobby', position: 'p1', at: '2026-01-01T00:00:00.000Z', from: null, text: 'one', data: { n: 1 } }
const at = { position: 'p1', revision: 'r1' }
const editedAt = '2026-01-01T00:00:01.000Z'

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
    { ...message, reactions: [{ reaction: '👍', count: 1 }] }, { whole: true, text: 'one', data: { n: 1 }, reactions: [] }, message]
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
