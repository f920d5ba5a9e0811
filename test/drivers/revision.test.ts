import t from 'tap'
import { formatPosition, parsePosition } from '../../src/drivers/position.ts'
import { formatRevision, parseRevision } from '../../src/drivers/revision.ts'

t.test('a revision is parsed into the parts that it was formatted from', async (t) => {
  for (const [epoch, at, number] of [['e', 0, 0], ['A_z.9', 1_763_740_803_900, 18], ['x'.repeat(32), Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]] as const) {
    const revision = formatRevision(epoch, at, number)
    t.strictSame(parseRevision(revision), { epoch, at, number })
    t.match(revision, /^[\w.-]{1,128}$/)
    t.equal(parsePosition(revision), undefined, 'it is no position')
    t.equal(parseRevision(formatPosition(epoch, at, number)), undefined, 'a position is no revision')
  }
})

t.test('every other string is not a revision', async (t) => {
  const wrong = ['', 'c1', 'e-1', 'e-1-', 'e-1-c', 'e-1-c01', 'e-01-c1', 'e-1-c-1', 'e--1-c1', 'e-1-c1.0', 'e-1-c1 ', ' e-1-c1', 'e-1-C1', 'e-1-c1\n', 'é-1-c1',
    '-1-c1', `${'x'.repeat(33)}-1-c1`, 'e-1-c9007199254740992', 'e-9007199254740992-c1', 'e-1-c1e1', 'e-1-c0x1', 'e-1-c٣']
  for (const text of wrong) t.equal(parseRevision(text), undefined, JSON.stringify(text))
})
