import t from 'tap'
import { LocalMembers } from '../../src/drivers/local-members.ts'
import { HeldClock } from '../support/held-clock.ts'

const ada = { id: 'id of ada', name: 'ada' }
const bob = { id: 'id of bob', name: 'bob' }

function setUp (grace = 1_000) {
  const clock = new HeldClock()
  const left: string[] = []
  const members = new LocalMembers(grace, clock.after)
  return { clock, left, members, leave: (connection: string) => members.leave(connection, (id) => left.push(id)) }
}

t.test('enter() returns whether the members changed', async (t) => {
  const { members } = setUp()
  t.equal(members.enter('c1', ada), true)
  t.equal(members.enter('c1', bob), false, 'a known connection is ignored')
  t.equal(members.enter('c2', ada), false, 'a second connection of the member')
  t.equal(members.enter('c3', { ...ada, name: 'Ada' }), true, 'another name')
  t.equal(members.enter('c4', bob), true)
  t.strictSame([...members], [{ ...ada, name: 'Ada' }, bob])
  t.strictSame(['c4', 'c5'].map((connection) => members.has(connection)), [true, false])
  t.equal(members.enter('c5', { ...bob, data: '1' }), true, 'data')
  t.equal(members.enter('c6', { ...bob, data: '1' }), false, 'equal data')
  t.equal(members.enter('c7', { ...bob, data: '2' }), true, 'other data')
  t.strictSame(members.get(bob.id), { ...bob, data: '2' })
  t.equal(members.enter('c8', bob), true, 'no data')
  t.equal(members.size, 2)
  t.strictSame(members.get(bob.id), bob)
  t.equal(members.get('nobody'), undefined)
})

t.test('a member leaves when the grace period after its last connection has passed', async (t) => {
  const { clock, left, members, leave } = setUp()
  members.enter('c1', ada)
  members.enter('c2', ada)
  leave('c1')
  t.equal(clock.waiting, 0, 'another connection is left')
  leave('c2')
  leave('c2')
  leave('unknown')
  t.equal(clock.waiting, 1)
  clock.pass(999)
  t.strictSame([...members], [ada])
  clock.pass(1)
  t.strictSame([left, [...members]], [[ada.id], []])
})

t.test('a member that enters again within its grace period stays, and has a whole one later', async (t) => {
  const { clock, left, members, leave } = setUp()
  members.enter('c1', ada)
  leave('c1')
  clock.pass(900)
  t.equal(members.enter('c2', ada), false)
  leave('c2')
  clock.pass(999)
  t.strictSame(left, [])
  clock.pass(1)
  t.strictSame(left, [ada.id])
  t.equal(members.enter('c3', ada), true, 'a member that left enters anew')
})

t.test('without a grace period a member leaves with the next timer, not within the call', async (t) => {
  const { clock, left, members, leave } = setUp(0)
  members.enter('c1', ada)
  leave('c1')
  t.strictSame(left, [])
  clock.pass(0)
  t.strictSame(left, [ada.id])
})

t.test('no member leaves after close()', async (t) => {
  const { clock, left, members, leave } = setUp()
  members.enter('c1', ada)
  members.enter('c2', bob)
  leave('c1')
  members.close()
  t.equal(clock.waiting, 0)
  clock.pass(1_000)
  t.strictSame(left, [])
})
