import t from 'tap'
import { composePosition, entryPosition, parseComposed } from '../../src/rooms/batch/composed-position.ts'

const plain = (base: string) => ({ base, late: undefined, outstanding: [], isComplete: true })

t.test('every form of a position has the parts that it was composed of', async (t) => {
  for (const [composed, base, late, outstanding] of [
    ['e-1-2', 'e-1-2', undefined, []],
    ['e-1-2-.o41', 'e-1-2', undefined, ['e-1-1']],
    ['e-1-3-.o41-.o42', 'e-1-3', undefined, ['e-1-1', 'e-1-2']],
    ['e-1-3-.l41', 'e-1-3', 'e-1-1', []],
    ['e-1-3-.l41-.o2-9', 'e-1-3', 'e-1-1', ['e--9']],
    ['e-1-10-.o5-.o51-.o0f', 'e-1-10', undefined, ['e-1-1', 'e-1-11', 'f']],
    [`${'e'.repeat(40)}1-.oz${'e'.repeat(5)}2`, `${'e'.repeat(40)}1`, undefined, [`${'e'.repeat(40)}2`]]
  ] as const) {
    t.equal(composePosition(base, late, outstanding), composed)
    t.strictSame(parseComposed(composed), { base, late, outstanding, isComplete: true })
    t.equal(entryPosition(composed), late ?? base)
  }
})

t.test('a position without space for its outstanding streams reports that they are missing', async (t) => {
  const long = (first: string) => first + 'e'.repeat(40)
  t.equal(composePosition(long('3'), undefined, [long('1')]).length, 86)
  const cut = composePosition(long('3'), undefined, [long('1'), long('2')])
  t.strictSame([cut, parseComposed(cut)], [`${long('3')}-.x`, { ...plain(long('3')), isComplete: false }])
  const late = composePosition(long('3'), long('1'), [long('2')])
  t.strictSame([late, parseComposed(late)], [`${long('3')}-.l0${long('1')}-.x`, { ...plain(long('3')), late: long('1'), isComplete: false }])
  t.equal(composePosition('b', undefined, '123456789'), 'b-.x')
  t.equal(composePosition('b', undefined, '12345678'), 'b-.o01-.o02-.o03-.o04-.o05-.o06-.o07-.o08')
})

t.test('no more outstanding streams are taken than are named', async (t) => {
  let taken = 0
  const streams = function * () { for (;;) yield `${++taken}` }
  t.equal(composePosition('b', undefined, streams()), 'b-.x')
  t.equal(taken, 9)
})

t.test('a position in a room of millions of entries names three streams', async (t) => {
  const position = (at: number, offset: number) => `AbCdEfGh.1zz-${at}-${offset}`
  const outstanding = [1_763_699_999_999, 1_763_799_999_998, 1_763_799_999_999].map((at, i) => position(at, 1_234_560 + i))
  for (const late of [undefined, position(1_763_799_999_997, 1_234_559)]) {
    const composed = composePosition(position(1_763_800_000_000, 1_234_567), late, late === undefined ? outstanding : outstanding.slice(1))
    t.ok(composed.length <= 128, `${composed.length}`)
    t.equal(parseComposed(composed).isComplete, true)
  }
})

t.test('no composed position has more than 128 characters', async (t) => {
  for (let length = 1; length <= 128; length++) {
    const position = 'p'.repeat(length)
    for (const composed of [composePosition(position), composePosition(position, position), composePosition(position, undefined, [position]), composePosition(position, position, [position])]) {
      t.ok(composed.length <= 128)
    }
  }
  t.equal(composePosition('p'.repeat(128)), 'p'.repeat(128))
  t.strictSame(parseComposed('-.x'), plain('-.x'))
})

t.test('a string of another form is a position that no store honours', async (t) => {
  for (const forged of [
    '', '-', '.', '-.', '-.-.', '-.x', '-.o', '-.l0a', '-.o0a', 'a-.', 'a-.l', 'a-.o', 'a-.l0', 'a-.o0', 'a-.p', 'a-.l0b-.l0c', 'a-.o0b-.l0c', 'a-.x-.x', 'a-.x-.o0b', 'a-.xy', 'a-.O0b',
    'a-.o0b-.o0b', 'a-.o1b-.o0ab', 'a-.o2b', 'a-.o-b', 'a-.oAb', 'a-.l2b', 'a-.o b',
    'a-.o0b-.', `a${'-.o0'.repeat(40)}`, `a${[...'bcdefghij'].map((p) => `-.o0${p}`).join('')}`
  ]) t.strictSame(parseComposed(forged), plain(forged), forged)
  t.strictSame(parseComposed('"\n😀-.o0\u0000'), { ...plain('"\n😀'), outstanding: ['\u0000'] }, 'the characters are not checked')
})
