import t from 'tap'
import type { Connection } from '../../src/connection/connection.ts'
import { webSocketFraming } from '../../src/connection/frame.ts'
import type { Payload } from '../../src/connection/writer.ts'
import { Batch } from '../../src/rooms/batch/batch.ts'
import type { Format, JoinedPage } from '../../src/rooms/batch/format.ts'
import { memberForms } from '../../src/rooms/membership/member-forms.ts'
import { Membership, type Later } from '../../src/rooms/membership/membership.ts'
import { OutstandingStreams } from '../../src/rooms/batch/outstanding-streams.ts'
import { PendingChanges } from '../../src/rooms/batch/pending-changes.ts'
import type { Appended, Entry } from '../../src/store.ts'

const format: Format = {
  framing: webSocketFraming,
  entry: (_room, { body }) => body,
  signal: (_room, signal) => 'presence' in signal ? `${signal.presence.count} present` : 'typing',
  ack: (_room, id) => `ack ${id}`,
  joined: (_room, { entries }, { count }) => [`joined, ${count} present`, ...entries.map(({ body }) => body)]
}
const member = { id: 'ada', name: '' }
const present = (count: number) => ({ members: [], count, stale: false })

const entry = (offset: number, from = 'bob'): Entry => ({ offset, position: `${offset}`, at: 0, from: { id: from, name: '' }, body: `${offset}` })
const change = { number: 0, revision: 'c0' }
const page = (...entries: Entry[]): JoinedPage => ({
  entries,
  position: entries.at(-1)?.position ?? '0',
  complete: true,
  more: false,
  head: { ...entries.at(-1) ?? { offset: 0, position: '0' }, change },
  changed: [],
  moreChanged: false,
  revision: change.revision
})
const upTo = (offset: number, ...entries: Entry[]): Later => ({ entries, changes: [], offset, change: 0 })
const batch = (...entries: Entry[]) => new Batch('lobby', entries, [], () => {})

/** Returns the texts of short frames. */
function framesOf (framed: Buffer): string[] {
  const texts: string[] = []
  for (let at = 0; at < framed.length; at += 2 + framed[at + 1]!) texts.push(framed.toString('latin1', at + 2, at + 2 + framed[at + 1]!))
  return texts
}

/** A membership, the messages of each write to it, and the bytes that are charged for it. */
function joined ({ includeSender = true } = {}) {
  const writes: string[] = []
  const charges = { bytes: 0 }
  const writer = {
    write (framed: Buffer, _messages: number, own: readonly Payload[] = []): boolean {
      writes.push([...framesOf(framed), ...own].join())
      return true
    },
    replay (payloads: readonly Payload[]): boolean { writes.push(payloads.join()); return true },
    reply (payload: Payload): boolean { writes.push(`${payload.toString()}`); return true },
    charge (bytes: number): void { charges.bytes += bytes },
    release (bytes: number): void { charges.bytes -= bytes }
  }
  const membership = new Membership({ writer } as unknown as Connection, memberForms(member), 'lobby', { format, includeSender })
  membership.sendJoined(page(), present(1), upTo(0))
  membership.caughtUp(present(1))
  writes.length = 0
  return { membership, writes, charges }
}

const stored = (offset: number, again = false): Promise<Appended> => Promise.resolve({ offset, position: `${offset}`, ...again ? { again } : { again, at: offset } })
const fail = (error: unknown) => t.fail('rejected', { error })

t.test('an acknowledgement follows its message in the same write and is charged until then', async (t) => {
  const { membership, writes, charges } = joined()
  membership.acknowledgements.addPost(stored(1), 'a', fail)
  membership.acknowledgements.addPost(stored(3), 'c', fail)
  await stored(0)
  t.strictSame(writes, [])
  t.ok(charges.bytes > 0)
  t.equal(membership.deliver(batch(entry(1), entry(2))), 2)
  t.equal(membership.deliver(batch(entry(3))), 1)
  t.strictSame(writes, ['1,2,ack a', '3,ack c'])
  t.equal(charges.bytes, 0)
})

t.test('an acknowledgement of a sent message or of a repeated post is sent at once', async (t) => {
  const { membership, writes } = joined()
  membership.deliver(batch(entry(1)))
  membership.acknowledgements.addPost(stored(1), 'a', fail)
  membership.acknowledgements.addPost(stored(7, true), 'b', fail)
  await stored(0)
  t.strictSame(writes, ['1', 'ack a', 'ack b'])
})

t.test('acknowledgements of an earlier epoch are sent at once, now and later', async (t) => {
  const { membership, writes, charges } = joined()
  membership.acknowledgements.addPost(stored(100), 'waits', fail)
  let store!: () => void
  const later = new Promise<void>((resolve) => { store = resolve }).then(() => stored(101))
  membership.acknowledgements.addPost(later, 'follows', fail)
  await stored(0)
  membership.enter(1)
  t.strictSame(writes, ['ack waits'])
  membership.sendJoined(page(entry(1)), present(1), upTo(1))
  store()
  await later
  t.strictSame(writes, ['ack waits', 'joined, 1 present,1', 'ack follows'])
  t.equal(charges.bytes, 0)
})

t.test('a membership that has ended sends its acknowledgements at once', async (t) => {
  const { membership, writes, charges } = joined()
  membership.acknowledgements.addPost(stored(1), 'a', fail)
  await stored(0)
  membership.end()
  membership.acknowledgements.addPost(stored(2), 'b', fail)
  await stored(0)
  t.strictSame(writes, ['ack a', 'ack b'])
  t.equal(charges.bytes, 0)
})

t.test('a rejected post is passed to the caller and not acknowledged', async (t) => {
  const { membership, writes } = joined()
  const error = new Error('not stored')
  const rejections: unknown[] = []
  membership.acknowledgements.addPost(Promise.reject(error), 'a', (rejection) => rejections.push(rejection))
  await stored(0)
  t.strictSame([rejections, writes], [[error], []])
})

t.test('a member that joined mid-batch receives the rest of it, once', async (t) => {
  const { membership, writes } = joined()
  membership.sendJoined(page(entry(1)), present(1), upTo(2, entry(2)))
  t.equal(membership.deliver(batch(entry(1), entry(2), entry(3))), 1)
  t.equal(membership.deliver(batch(entry(4))), 1)
  t.strictSame(writes, ['joined, 1 present,1,2', '3', '4'])
})

t.test('a member that excludes its own messages receives the others, and no empty write', async (t) => {
  const { membership, writes } = joined({ includeSender: false })
  t.equal(membership.deliver(batch(entry(1, 'ada'), entry(2), entry(3, 'ada'))), 1)
  t.equal(membership.deliver(batch(entry(4, 'ada'))), 0)
  t.equal(membership.sendMissed(page(entry(5, 'ada'), entry(6)), upTo(6)), 2)
  t.strictSame(writes, ['2', '6'])
})

t.test('a member that has caught up receives the change of presence since its join', async (t) => {
  const { membership, writes } = joined()
  membership.sendJoined(page(), present(2), upTo(0))
  membership.caughtUp(present(3))
  membership.sendMissed(page(entry(1)), upTo(1))
  membership.caughtUp(present(4))
  t.strictSame(writes, ['joined, 2 present', '3 present', '1'])
})

t.test('delivered resolves when all posts so far were sent or rejected', async (t) => {
  const { membership } = joined({ includeSender: false })
  t.equal(membership.delivered(), undefined, 'without a post')
  let refuse!: (error: Error) => void
  membership.acknowledgements.addPost(stored(1), '', fail)
  membership.acknowledgements.addPost(new Promise((_resolve, reject) => { refuse = reject }), '', () => {})
  const delivered = membership.delivered()
  let isDelivered = false
  void delivered!.then(() => { isDelivered = true })
  await stored(0)
  membership.deliver(batch(entry(1, 'ada')))
  await stored(0)
  t.equal(isDelivered, false, 'one post is pending')
  refuse(new Error('no'))
  await delivered
  t.equal(membership.delivered(), undefined, 'nothing is pending')
})

t.test('delivered resolves when the epoch of the stored post ends', async (t) => {
  const { membership } = joined()
  membership.acknowledgements.addPost(stored(1), 'a', fail)
  await stored(0)
  const delivered = membership.delivered()
  membership.enter(1)
  await delivered
  t.equal(membership.delivered(), undefined)
})

const changing: Format = {
  ...format,
  withoutChanges: format,
  change: (_room, { position, edit, reactions = [] }, own) => `${position} ${edit?.body ?? [...reactions].join()}${own === undefined ? '' : ` own ${[...own].join()}`}`
}

/** A batch of entries and of changes; the numbers of the changes are those of their places. */
function changes (entries: Entry[], ...changed: Array<{ readonly offset: number, readonly text?: string, readonly by?: string[] }>): Batch {
  const pending = new PendingChanges()
  for (const [i, { offset, text, by = [] }] of changed.entries()) {
    const cursor = { offset, position: `p${offset}`, at: 0, change: { number: i + 1, revision: `r${i + 1}` } }
    if (text !== undefined) pending.push({ ...cursor, by: null, made: { edit: { body: text } } })
    for (const [count, member] of by.entries()) pending.push({ ...cursor, by: member, made: { react: '+', on: true }, count: count + 1 })
  }
  return new Batch('lobby', entries, [], () => {}, { items: pending.take(Infinity, Infinity), last: changed.length })
}

/** Memberships of a room, and the buffers of each write to one of them. */
function receivers (...ids: string[]) {
  return ids.map((id) => {
    const buffers: Buffer[] = []
    const texts: string[] = []
    const writer = {
      write (framed: Buffer, _messages: number, own: readonly Payload[] = []): boolean {
        buffers.push(framed)
        texts.push([...framesOf(framed), ...own].join())
        return true
      },
      replay: () => true,
      charge: () => {},
      release: () => {},
      reply: (payload: Payload) => { texts.push(`${payload.toString()}`); return true }
    }
    const membership = new Membership({ writer } as unknown as Connection, memberForms({ id, name: '' }), 'lobby', { format: changing, includeSender: true })
    return { membership, buffers, texts }
  })
}

t.test('members share the buffer of a batch with changes, apart from those that reacted', async (t) => {
  const [ada, bob, carl, dora] = receivers('ada', 'bob', 'carl', 'dora')
  const batch = changes([entry(1)], { offset: 1, text: 'x'.repeat(100) }, { offset: 2, by: ['carl', 'dora'] }, { offset: 3, text: 'last' })
  for (const { membership } of [ada!, bob!, carl!, dora!]) t.equal(membership.deliver(batch), 4)
  t.equal(ada!.buffers[0], bob!.buffers[0])
  t.strictSame(ada!.texts, [`1,p1 ${'x'.repeat(100)},p2 +,2,p3 last`])
  for (const { texts, buffers } of [carl!, dora!]) {
    t.strictSame(texts, [`1,p1 ${'x'.repeat(100)},p2 +,2 own +,true`, 'p3 last'], 'in the same place')
    for (const [i, buffer] of buffers.entries()) {
      t.equal(buffer, carl!.buffers[i])
      t.equal(buffer.buffer, ada!.buffers[0]!.buffer, 'a part of the shared buffer')
    }
  }
})

t.test('a batch without changes is one buffer for members with and without them', async (t) => {
  const [ada] = receivers('ada')
  const { membership, writes } = joined()
  let encodings = 0
  const batch = new Batch('lobby', [entry(1)], [], () => { encodings++ })
  ada!.membership.deliver(batch)
  membership.deliver(batch)
  t.strictSame([ada!.texts, writes, encodings], [['1'], ['1'], 1])
  const changed = new Batch('lobby', [{ ...entry(2), revision: 'r' }], [], () => { encodings++ })
  ada!.membership.deliver(changed)
  membership.deliver(changed)
  t.equal(encodings, 3, 'an entry that has changed is encoded for each')
})

t.test('a member that joined between the changes of a batch receives the later ones', async (t) => {
  const [ada, bob] = receivers('ada', 'bob')
  for (const { membership } of [ada!, bob!]) membership.sendJoined(page(entry(1)), present(1), { ...upTo(1), change: 2 })
  const batch = changes([entry(1), entry(2)], { offset: 1, text: 'a' }, { offset: 2, text: 'b' }, { offset: 3, text: 'c' }, { offset: 4, by: ['bob'] })
  t.equal(ada!.membership.deliver(batch), 3)
  t.equal(bob!.membership.deliver(batch), 3)
  t.strictSame([ada!.texts, bob!.texts], [['2,p3 c,p4 +,1'], ['2,p3 c,p4 +,1 own +,true']])
  t.equal(ada!.membership.deliver(changes([], { offset: 1, text: 'a' })), 0)
  t.equal(ada!.texts.length, 1, 'no empty write')
})

t.test('the acknowledgement of a change follows the batch that completes it', async (t) => {
  const [ada] = receivers('ada')
  const { membership, texts } = ada!
  const amended = (number: number, again = false) => Promise.resolve({ number, revision: `r${number}`, again })
  membership.acknowledgements.addChange(amended(2), 'a', 'p1', fail)
  membership.acknowledgements.addChange(amended(1, true), 'b', 'p1', fail)
  await amended(0)
  t.strictSame(texts.splice(0), ['ack b'])
  let isDelivered = false
  void membership.delivered()!.then(() => { isDelivered = true })
  membership.deliver(new Batch('lobby', [], [], () => {}, { items: [], last: 1 }))
  await amended(0)
  t.strictSame([texts.splice(0), isDelivered], [[], false])
  membership.deliver(new Batch('lobby', [], [], () => {}, { items: [], last: 2 }))
  membership.acknowledgements.addChange(amended(2), 'c', 'p1', fail)
  await amended(0)
  t.strictSame([texts, isDelivered, membership.delivered()], [['ack a', 'ack c'], true, undefined])
})

t.test('a member without changes receives the streams of a batch that ended after its page', async (t) => {
  const streams = new OutstandingStreams()
  const stream = (offset: number): Entry => ({ ...entry(offset), streaming: true })
  streams.add([stream(1), stream(2)])
  const pending = new PendingChanges()
  for (const [number, offset] of [[1, 1], [2, 2]] as const) {
    pending.push({ offset, position: `${offset}`, change: { number, revision: `r${number}` }, at: 0, by: null, made: { end: true }, ended: entry(offset) })
  }
  const items = pending.take(Infinity, Infinity)
  const entries = [entry(3), stream(4), entry(5)]
  const batch = new Batch('lobby', entries, [], () => {}, { items, last: 2 }, streams.take(entries, items))
  for (const [offset, change, texts] of [[2, 0, ['3,5,1,2']], [2, 1, ['3,5,2']], [3, 0, ['5,1,2']], [5, 2, []], [4, 2, ['5']]] as const) {
    const { membership, writes } = joined()
    membership.sendMissed(page(), { ...upTo(offset), change })
    writes.length = 0
    t.equal(membership.deliver(batch), texts[0]?.split(',').length ?? 0)
    t.strictSame(writes, texts)
  }
})
