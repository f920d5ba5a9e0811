import fc from 'fast-check'
import t from 'tap'
import type { Amendment, Changed } from '../../src/change.ts'
import { codePoints } from '../../src/code-points.ts'
import { applyChange, type Message } from '../../src/client/node.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import { wholeChange } from '../../src/rooms/batch/merged-change.ts'
import { PendingChanges } from '../../src/rooms/batch/pending-changes.ts'
import { v1ChangesEncoding } from '../../src/wire/v1-encode-changes.ts'
import { states } from '../support/client-view.ts'

const { format } = v1ChangesEncoding
const room = 'lobby'
const members = ['a', 'b']

/** Stands for the length of the text. */
const END = -1

const amendment: fc.Arbitrary<Amendment> = fc.oneof(
  { weight: 16, arbitrary: fc.record({ by: fc.constantFrom(...members), react: fc.constantFrom('1', '2', '3'), on: fc.boolean() }).map(({ by, ...change }) => ({ by, change })) },
  { weight: 6, arbitrary: fc.record({ body: fc.constantFrom('x', 'y', 'z'), data: fc.constantFrom(undefined, '1', '[2]') }).map((edit) => ({ by: 'a', change: { edit } })) },
  { weight: 1, arbitrary: fc.constant({ by: 'a', change: { delete: true } } as const) },
  { weight: 2, arbitrary: fc.constantFrom({ end: true } as const, { end: true, unfinished: true } as const).map((change) => ({ by: null, change })) },
  { weight: 24, arbitrary: fc.constantFrom('a', '😀', 'b😀c').map((append) => ({ by: null, change: { append, at: END } })) }
)

/** What happens between two changes: nothing, a delivery, or a delivery after a break, which has only the entry. */
const step = fc.record({ amendment, then: fc.constantFrom('nothing', 'nothing', 'delivery', 'break') })

/** Returns the message of a payload. */
function parse (payload: unknown): Message {
  const { type: _type, ...message } = JSON.parse(String(payload)) as Message & { type: string }
  return message
}

t.test('a message with all its changes applied is the message that the store has', async (t) => {
  await fc.assert(fc.asyncProperty(fc.constantFrom('text', 'binary', 'streaming'), fc.array(step, { maxLength: 30 }), async (kind, steps) => {
    const store = new MemoryStore()
    const records: Changed[] = []
    const { stop } = await store.follow(room, ({ changes }) => { records.push(...changes) })
    const draft = { from: { id: 'a', name: '' }, body: kind === 'binary' ? Buffer.from([1]) : 'x', ...kind === 'streaming' && { streaming: true as const } }
    const { position } = await store.append(room, draft)
    const entryFor = async (member: string) => (await store.get(room, position, { for: member }))!
    const views = new Map<string, Message>()
    for (const member of members) views.set(member, parse(format.entry(room, await entryFor(member))))
    const pending = new PendingChanges()

    const deliver = async (isBreak: boolean) => {
      // The feed delivers in a later tick.
      await new Promise(setImmediate)
      for (const record of records.splice(0)) pending.push(record)
      if (isBreak) pending.take(Infinity, Infinity)
      const items = pending.take(Infinity, Infinity)
      for (const member of members) {
        const entry = await entryFor(member)
        const sent = isBreak && entry.revision !== undefined
          ? [format.change!(room, wholeChange(entry), new Map(entry.reactions?.map(({ reaction, mine = false }) => [reaction, mine])))]
          : items.map(({ merged, reactors }) => format.change!(room, merged, reactors?.get(member)))
        for (const payload of sent) views.set(member, applyChange(views.get(member)!, parse(payload) as never))
      }
    }

    for (const { amendment, then } of steps) {
      const { change } = amendment
      const made = 'append' in change ? { ...change, at: codePoints(String((await entryFor('a')).body)) } : change
      // An edit of a binary or streaming message, text for one that isn't streaming, and any change of a deleted one, are refused.
      await store.amend(room, position, { ...amendment, change: made }).catch(() => {})
      if (then !== 'nothing') await deliver(then === 'break')
    }
    await deliver(false)
    for (const member of members) {
      const stored = parse(format.entry(room, await entryFor(member)))
      t.strictSame(states([views.get(member)!]), states([stored]), member)
      t.equal(views.get(member)!.revision, stored.revision)
    }
    stop()
    await store.close()
  }), { numRuns: 200 })
})
