import fc from 'fast-check'
import t from 'tap'
import { amended, checkAmendment, stateOfDraft, type Changeable } from '../../src/drivers/entry-state.ts'
import { RedisStore } from '../../src/drivers/redis/store/store.ts'
import { append, deletion, edit, end, react, says } from '../../src/contract/store/entries.ts'
import { redisServer, skip } from '../support/redis-server.ts'
import type { Amendment } from '../../src/change.ts'

/** Texts of what JSON escapes, of one to four bytes each, and of the parts of such escapes. */
const text = fc.string({ unit: fc.constantFrom('a', 'n', '"', '\\', '\n', '\u0000', 'u000', 'é', '\u2028', '👍', ']', ','), maxLength: 6 })
/** `at`: from the end of the text back. Mostly 0, so that the text grows. */
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ append: text, back: fc.constant(0) }) },
  { weight: 4, arbitrary: fc.record({ append: text, back: fc.integer({ min: -1, max: 8 }) }) },
  // What the text has at that place, or had before it was changed.
  { weight: 4, arbitrary: fc.record({ again: fc.nat(20), length: fc.nat(8) }) },
  { weight: 2, arbitrary: fc.constantFrom<Amendment>(react('👍', 'ada'), react('👍', 'ada', false), edit('edited "', {}, '1')) },
  { weight: 1, arbitrary: fc.constantFrom<Amendment>(end, { by: null, change: { end: true, unfinished: true } }, deletion) }
)

t.test('any texts are streamed: Redis keeps them as the other stores do', { skip }, async (t) => {
  const server = await redisServer(t)
  const store = new RedisStore({ url: server.socket })
  t.teardown(() => store.close())
  let rooms = 0
  await fc.assert(fc.asyncProperty(text, fc.option(text, { nil: undefined }), fc.array(step, { maxLength: 40 }), fc.boolean(), async (body, data, steps, isBatch) => {
    const room = `${++rooms}`
    const draft = says(body, { streaming: true, ...data !== undefined && { data: JSON.stringify(data) } })
    const { position } = await store.append(room, draft)
    let entry: Changeable = { body, data: draft.data, state: stateOfDraft(draft) }
    let number = 0
    const wanted: string[] = []
    const made: Array<Promise<string>> = []
    for (const each of steps) {
      const codePoints = [...entry.body as string]
      const amendment = 'append' in each
        ? append(each.append, Math.max(0, codePoints.length - each.back))
        : 'again' in each ? append(codePoints.slice(each.again, each.again + each.length).join(''), each.again) : each
      try {
        const hasEffect = checkAmendment(room, { ...entry, from: null }, amendment, () => 0)
        if (hasEffect) entry = amended(entry, amendment, ++number, 0)
        wanted.push(hasEffect ? `${number}` : 'again')
      } catch (error) {
        wanted.push((error as Error).message)
      }
      made.push(store.amend(room, position, amendment).then(({ again, number }) => again ? 'again' : `${number}`, (error: Error) => error.message))
      if (!isBatch) await made.at(-1)
    }
    t.strictSame(await Promise.all(made), wanted)
    const found = (await store.get(room, position))!
    const { state } = entry
    t.strictSame([found.body, found.data, found.streaming, found.unfinished, found.deleted, found.reactions], [
      entry.body, entry.data, state?.streamed === undefined ? undefined : true, state?.isUnfinished === true ? true : undefined,
      state?.isDeleted === true ? true : undefined, state?.reactions?.list(undefined)
    ])
    return t.passing()
  }), { numRuns: 300 })
})
