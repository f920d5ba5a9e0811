import t from 'tap'
import { memberData } from '../../src/contract/roster/members.ts'
import { RoomData } from '../../src/drivers/redis/roster/room-data.ts'
import { SharedData } from '../../src/drivers/redis/roster/shared-data.ts'
import { encodeMember } from '../../src/drivers/redis/roster/stored-member.ts'
import type { PresentMember } from '../../src/roster.ts'

const members = memberData.map((data, i): PresentMember => ({ id: `${i}`, name: `${i} a:b`, data }))

function read (room: RoomData, members: readonly PresentMember[], known = room.known): PresentMember[] {
  return room.decode(members.map(({ id }) => id), members.map((member) => `12${encodeMember(member)}`), known)
}

t.test('a member is decoded as it was encoded', async (t) => {
  const room = new RoomData(new SharedData())
  t.strictSame(read(room, members), members)
  for (const name of ['', ' ', ':', '1:2 3']) t.strictSame(read(room, [{ id: 'a', name }]), [{ id: 'a', name }])
})

t.test('data that is absent behind its tag is the known one', async (t) => {
  const room = new RoomData(new SharedData())
  read(room, members)
  const { known } = room
  t.equal(known.size, members.length)
  const tags = [...known.keys()]
  t.strictSame(room.decode(members.map(({ id }) => id), tags.map((tag, i) => `1:${tag} ${members[i]!.name}`), known), members)
  t.strictSame(room.decode(['a'], [`1:${tags[0]!} ada`], new Map()), [{ id: 'a', name: 'ada' }], 'without the data a member has none')
})

t.test('data is kept once for all rooms, while one of them lists a member with it', async (t) => {
  const shared = new SharedData()
  const [one, two] = [new RoomData(shared), new RoomData(shared)]
  const [ada, bob] = [{ id: 'a', name: 'ada', data: '1' }, { id: 'b', name: 'bob', data: '2' }]
  read(one, [ada, { ...ada, id: 'again' }])
  read(two, [ada, bob])
  t.equal(shared.size, 2)
  read(one, [{ ...ada, data: '3' }])
  t.equal(shared.size, 3)
  read(two, [bob])
  t.equal(shared.size, 2)
  read(one, [])
  t.equal(shared.size, 1)
  two.close()
  t.equal(shared.size, 0)
  t.strictSame(read(two, [ada]), [ada], 'a read that ends after the close')
  t.equal(shared.size, 0)
})
