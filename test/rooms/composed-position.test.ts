import t from 'tap'
import { composePosition, entryPosition, parseComposed } from '../../src/rooms/composed-position.ts'

const plain = (base: string) => ({ base, own: undefined, outstanding: [], isComplete: true })

t.test('every form of a position has the parts that it was composed of', async (t) => {
  for (const [composed, base, own, outstanding] of [
    ['e-1-2', 'e-1-2', undefined, []],
    ['e-1-2-.oe-1-1', 'e-1-2', undefined, ['e-1-1']],
    ['e-1-3-.oe-1-1-.oe-1-2', 'e-1-3', undefined, ['e-1-1', 'e-1-2']],
    ['e-1-3-.le-1-1', 'e-1-3', 'e-1-1', []],
    ['e-1-3-.le-1-1-.oe-1-2', 'e-1-3', 'e-1-1', ['e-1-2']]
  ] as const) {
    t.equal(composePosition(base, own, outstanding), composed)
    t.strictSame(parseComposed(composed), { base, own, outstanding, isComplete: true })
    t.equal(entryPosition(composed), own ?? base)
  }
})

t.test('a position without space for its outstanding streams reports that they are missing', async (t) => {
  const long = (last: string) => 'e'.repeat(40) + last
  t.equal(composePosition(long('3'), undefined, [long('1')]).length, 85)
  const cut = composePosition(long('3'), undefined, [long('1'), long('2')])
  t.strictSame([cut, parseComposed(cut)], [`${long('3')}-.x`, { ...plain(long('3')), isComplete: false }])
  const late = composePosition(long('3'), long('1'), [long('2')])
  t.strictSame([late, parseComposed(late)], [`${long('3')}-.l${long('1')}-.x`, { ...plain(long('3')), own: long('1'), isComplete: false }])
  t.equal(composePosition('b', undefined, '123456789'), 'b-.x')
  t.equal(composePosition('b', undefined, '12345678'), 'b-.o1-.o2-.o3-.o4-.o5-.o6-.o7-.o8')
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
    '', '-', '.', '-.', '-.-.', '-.x', '-.o', '-.la', '-.oa', 'a-.', 'a-.l', 'a-.o', 'a-.p', 'a-.lb-.lc', 'a-.ob-.lc', 'a-.x-.x', 'a-.x-.ob', 'a-.xy', 'a-.Ob', 'a-.ob-.ob',
    'a-.ob-.', `a${'-.o'.repeat(40)}`, `a${[...'bcdefghij'].map((p) => `-.o${p}`).join('')}`
  ]) t.strictSame(parseComposed(forged), plain(forged), forged)
  t.strictSame(parseComposed('"\n😀-.o\u0000'), { ...plain('"\n😀'), outstanding: ['\u0000'] }, 'the characters are not checked')
})
