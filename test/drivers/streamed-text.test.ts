import t from 'tap'
import { codePoints } from '../../src/code-points.ts'
import { checkAppend } from '../../src/drivers/streamed-text.ts'
import { MAX_STREAM_BYTES } from '../../src/request-bounds.ts'

const [high, low] = ['\ud83d', '\ude00']

/** Checks an append to a text that is streaming. */
const check = (text: string, append: string, at: number, isStreaming = true) => checkAppend(text, codePoints(text), isStreaming, { append, at })

t.test('a text has as many code points as its iterator returns', async (t) => {
  const texts = ['', 'a', 'ü', '😀', high, low, low + high, high + high + low, high + low + low, `a😀${high}`, `${low}😀a`, high.repeat(3), low.repeat(3), 'a😀b'.repeat(1_000)]
  for (const text of texts) t.equal(codePoints(text), [...text].length, JSON.stringify(text))
})

t.test('an append has an effect at the end of the text only', async (t) => {
  const invalid = { code: 'FST_CHAT_INVALID_CHANGE', message: 'the text has 4 code points' }
  t.equal(check('a😀b😀', 'x', 4), true)
  t.equal(check('', 'x', 0), true)
  for (const at of [0, 1, 2, 3, 5, 6, 1e15]) t.throws(() => check('a😀b😀', 'x', at), invalid)
  t.throws(() => check('a😀b😀', '', 5), invalid)
})

t.test('an append of what the text has has no effect, wherever it is', async (t) => {
  const text = 'a😀b😀'
  const points = [...text]
  for (let at = 0; at <= points.length; at++) {
    for (let until = at; until <= points.length; until++) t.equal(check(text, points.slice(at, until).join(''), at), false, `${at} to ${until}`)
  }
  t.throws(() => check(text, '😀x', 3), { code: 'FST_CHAT_INVALID_CHANGE' }, 'only its beginning')
})

t.test('lone surrogates count as one, before and after pairs', async (t) => {
  const text = `${low}a😀${high}`
  t.equal(codePoints(text), 4)
  t.equal(check(text, 'x', 4), true)
  t.equal(check(text, '😀', 2), false)
  t.equal(check(text, 'a😀', 1), false)
  t.equal(check(text, high, 3), false)
})

t.test('after the end, only an append that the text has is answered', async (t) => {
  t.equal(check('a😀b', 'b', 2, false), false)
  for (const [append, at] of [['', 3], ['x', 3], ['x', 0], ['bx', 2], ['x', 9]] as const) {
    t.throws(() => check('a😀b', append, at, false), { code: 'FST_CHAT_STREAM_ENDED' })
  }
})

t.test('a streamed text has at most 64 KiB as UTF-8', async (t) => {
  t.equal(MAX_STREAM_BYTES, 65_536)
  const invalid = { code: 'FST_CHAT_INVALID_CHANGE', message: 'a streamed text has at most 65536 bytes' }
  for (const [character, bytes] of [['x', 1], ['ü', 2], ['€', 3], ['😀', 4]] as const) {
    const length = Math.floor(MAX_STREAM_BYTES / bytes)
    const text = character.repeat(length - 1)
    t.equal(check(text, character, length - 1), true, character)
    t.throws(() => check(text, character.repeat(2), length - 1), invalid)
    t.throws(() => check('', character.repeat(length + 1), 0), invalid)
  }
  t.equal(check('x'.repeat(70_000), '', 70_000), false, 'a text that is longer can be renewed')
})
