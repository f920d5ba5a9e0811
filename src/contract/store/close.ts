import assert from 'node:assert/strict'
import { setImmediate as tick } from 'node:timers/promises'
import type { Cursor, Store } from '../../store.ts'
import { newName } from '../suite.ts'
import type { StoreSubtest } from './bounds.ts'
import { all, deletion, reauthorization, says, upTo, fill } from './entries.ts'
import { Follower } from './follower.ts'

/** Checks `check` and `close`. */
export async function closePromises (test: StoreSubtest, durable: boolean): Promise<void> {
  await test('check resolves while appends can succeed', async (open) => {
    await assert.doesNotReject((await open()).check())
  })

  const calls: Record<string, (one: Store) => Promise<unknown>> = {
    append: (one) => one.append('a', says('x', { key: 'k', hash: 'h' })),
    find: (one) => one.find('a', 'k'),
    read: (one) => one.read('a', all),
    'read of a room of its own': (one) => one.read('new', all),
    follow: (one) => one.follow('a', () => {}),
    get: (one) => one.get('a', 'x'),
    amend: (one) => one.amend('a', 'x', deletion),
    control: (one) => one.control('a', reauthorization),
    findChange: (one) => one.findChange('a', 'k'),
    markRead: (one) => one.markRead('ada', []),
    readPositions: (one) => one.readPositions('ada'),
    forgetRead: (one) => one.forgetRead('ada', 'a'),
    rooms: async (one) => await one.rooms()[Symbol.asyncIterator]().next(),
    'clear a room': (one) => one.clear('a'),
    check: (one) => one.check()
  }
  await test('after close every call rejects CLOSED, and none throws', async (open) => {
    for (const isUsed of [false, true]) {
      const one = await open()
      if (isUsed) await fill(one, 'a', 1)
      const { feed } = await Follower.of(one, 'a')
      await Promise.all([one.close(), one.close()])
      await one.close()
      for (const [title, call] of Object.entries(calls)) {
        let called!: Promise<unknown>
        assert.doesNotThrow(() => { called = call(one) }, title)
        await assert.rejects(called, { code: 'FST_CHAT_STORE_CLOSED' }, title)
      }
      assert.doesNotThrow(() => feed.stop())
    }
  })

  await test('close under load settles every call, keeps acknowledged entries and ends delivery', async (open) => {
    const name = newName()
    const one = await open({}, name)
    const follower = await Follower.of(one, 'a')
    const acked: Cursor[] = []
    const outcomes: Array<Promise<unknown>> = []
    const late: Follower[] = []
    const storm = () => {
      for (const i of upTo(50)) outcomes.push(one.append('a', says(`${i}`)).then((stored) => acked.push(stored)))
      for (const call of [calls['find']!, calls['read']!, calls['check']!]) outcomes.push(call(one))
      outcomes.push(one.append('b', says('x')), one.clear('b'), Follower.of(one, 'a').then((follower) => late.push(follower)))
    }
    storm()
    await outcomes[0]
    storm()
    const closing = one.close()
    storm()
    // Handled from the start: calls reject during the close, before it resolves.
    const settling = Promise.allSettled(outcomes)
    await Promise.all([closing, one.close()])
    const delivered = [follower, ...late].map(({ pages }) => pages.length)
    const settled = await settling
    const codes = settled.flatMap((outcome) => outcome.status === 'rejected' ? [(outcome.reason as { code?: string }).code] : [])
    assert.equal(codes.length >= 50, true)
    assert.deepEqual(codes.filter((code) => !['FST_CHAT_STORE_CLOSED', 'FST_CHAT_UNAVAILABLE', 'FST_CHAT_UNKNOWN'].includes(code ?? '')), [])
    await tick()
    assert.deepEqual([follower, ...late].map(({ pages }) => pages.length), [...delivered, ...late.slice(delivered.length - 1).map(() => 0)])
    assert.deepEqual(follower.numbers, upTo(follower.numbers.length))
    assert.deepEqual(new Set(acked.map(({ offset }) => offset)).size, acked.length)
    if (!durable) return
    const kept = new Set((await (await open({}, name)).read('a', all)).entries.map(({ position }) => position))
    assert.deepEqual(acked.filter(({ position }) => !kept.has(position)), [])
  })
}
