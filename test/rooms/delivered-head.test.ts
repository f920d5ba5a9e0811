import t from 'tap'
import { formatPosition } from '../../src/drivers/position.ts'
import { formatRevision } from '../../src/drivers/revision.ts'
import { DeliveredHead } from '../../src/rooms/delivered-head.ts'
import type { Head } from '../../src/change.ts'

/** Returns the head of a room with as many entries as changes. */
function head (epoch: string, number: number, offset = number): Head {
  return { offset, position: formatPosition(epoch, 1, offset), change: { number, revision: formatRevision(epoch, 1, number) } }
}

/** Resolves with whether a promise has settled when all reactions have run. */
async function hasSettled (promise: Promise<unknown>): Promise<boolean> {
  let isSettled = false
  void promise.finally(() => { isSettled = true })
  await new Promise((resolve) => setImmediate(resolve))
  return isSettled
}

t.test('a page waits until the feed has delivered its last change', async (t) => {
  const delivered = new DeliveredHead()
  delivered.advance(head('e', 5))
  const reading = delivered.read(async () => ({ head: head('e', 7) }))
  delivered.advance(head('e', 6))
  t.equal(await hasSettled(reading), false)
  delivered.advance(head('e', 7))
  t.match(await reading, { head: head('e', 7) })
})

t.test('a page is used if the feed has delivered its last change, and later ones, during the read', async (t) => {
  const delivered = new DeliveredHead()
  delivered.advance(head('e', 5))
  const page = await delivered.read(async () => {
    delivered.advance(head('e', 9))
    return { head: head('e', 7) }
  })
  t.match(page, { head: head('e', 7) })
})

t.test('a page of another epoch waits for the break, whatever its number', async (t) => {
  for (const number of [0, 1, 5, 7, 9, 12]) {
    const delivered = new DeliveredHead()
    delivered.advance(head('old', 5))
    let reads = 0
    const reading = delivered.read(async () => {
      if (reads++ === 0) delivered.advance(head('old', 9))
      return { head: head('new', number, number + 1) }
    })
    t.equal(await hasSettled(reading), false, `${number}`)
    // The feed delivers the rest of the old epoch first.
    delivered.advance(head('old', 12))
    t.equal(await hasSettled(reading), false, `${number}`)
    delivered.restart(head('new', 0))
    delivered.advance(head('new', number, number + 1))
    t.match(await reading, { head: head('new', number, number + 1) })
    t.equal(reads, 2)
  }
})

t.test('a page of another epoch waits even if neither has changes', async (t) => {
  const delivered = new DeliveredHead()
  delivered.advance(head('old', 0, 3))
  const reading = delivered.read(async () => ({ head: head('new', 0, 1) }))
  t.equal(await hasSettled(reading), false)
  delivered.restart(head('new', 0, 1))
  t.match(await reading, { head: head('new', 0, 1) })
})

t.test('a page of a room that was never used does not wait', async (t) => {
  const delivered = new DeliveredHead()
  delivered.advance(head('one', 0))
  t.match(await delivered.read(async () => ({ head: head('two', 0) })), { head: head('two', 0) })
})

t.test('without a feed, and after its end, no page waits', async (t) => {
  const delivered = new DeliveredHead()
  t.match(await delivered.read(async () => ({ head: head('e', 7) })), { head: head('e', 7) })
  delivered.advance(head('e', 5))
  const reading = delivered.read(async () => ({ head: head('e', 7) }))
  t.equal(await hasSettled(reading), false)
  delivered.close()
  t.match(await reading, { head: head('e', 7) })
})
