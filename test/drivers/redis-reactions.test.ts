import fc from 'fast-check'
import t from 'tap'
import { amended, checkAmendment, type Changeable } from '../../src/drivers/entry-state.ts'
import { RedisStore } from '../../src/drivers/redis/store/store.ts'
import { all, fill, react } from '../../src/contract/store/entries.ts'
import { redisServer, skip } from '../support/redis-server.ts'

const member = fc.constantFrom('m', 'n "', ' n "1')
/** Short texts of what a list of reactions is made of in JSON, so that one often contains a part of another. */
const reaction = fc.string({ unit: fc.constantFrom('[', ']', ',', '"', '\\', ' ', '0', '1', '👍', '],[', ',1],['), minLength: 1, maxLength: 3 })
const step = fc.record({ by: member, reaction, on: fc.boolean() })
/** Pairs of the same texts: each is added, and most are removed or added again. */
const steps = fc.array(step, { minLength: 1, maxLength: 6 }).chain((few) => fc.array(fc.record({
  by: member, reaction: fc.constantFrom(...few.map(({ reaction }) => reaction)), on: fc.boolean()
}), { maxLength: 40 }).map((more) => [...few.map((each) => ({ ...each, on: true })), ...more]))

/** Makes the changes as the other stores do. Returns an outcome for each, and the reactions afterwards. */
function expected (changes: ReadonlyArray<{ by: string, reaction: string, on: boolean }>) {
  let entry: Changeable = { body: 'x', data: undefined, state: undefined }
  let number = 0
  const outcomes = changes.map(({ by, reaction, on }) => {
    const amendment = react(reaction, by, on)
    try {
      if (!checkAmendment('a', { ...entry, from: null }, amendment, () => 0)) return 'again'
      entry = amended(entry, amendment, ++number, 0)
      return 'made'
    } catch (error) {
      return (error as { code: string }).code
    }
  })
  return { outcomes, reactions: entry.state?.reactions }
}

t.test('any texts are reactions: Redis counts them as the other stores do', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = new RedisStore({ url: server.socket })
  t.teardown(() => store.close())
  let rooms = 0
  await fc.assert(fc.asyncProperty(steps, async (changes) => {
    const room = `${++rooms}`
    const [position] = await fill(store, room, 1)
    const outcomes = (await Promise.allSettled(changes.map(({ by, reaction, on }) => store.amend(room, position!, react(reaction, by, on)))))
      .map((outcome) => outcome.status === 'rejected' ? (outcome.reason as { code: string }).code : outcome.value.again ? 'again' : 'made')
    const { outcomes: wanted, reactions } = expected(changes)
    t.strictSame(outcomes, wanted)
    for (const by of ['m', 'n "', ' n "1']) {
      const [entry] = (await store.read(room, { ...all, for: by })).entries
      t.strictSame(entry!.reactions ?? [], reactions?.list(by) ?? [])
    }
    const value = await server.client.hget(`fastify-chat:{${room}}:room`, '#1') ?? '0 0 '
    const list = reactions?.list(undefined) ?? []
    t.strictSame(value.split(' ').slice(0, 2).map(Number), [list.reduce((sum, { count }) => sum + count, 0), list.length])
    return t.passing()
  }), { numRuns: 200 })
})
