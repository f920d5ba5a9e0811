import { EventEmitter, once } from 'node:events'
import { mock } from 'node:test'
import t from 'tap'
import type { Test } from 'tap'
import { BOUNDS } from '../../src/bounds.ts'
import type { Connection } from '../../src/connection/connection.ts'
import { webSocketFraming } from '../../src/connection/frame.ts'
import type { Format } from '../../src/rooms/batch/format.ts'
import type { JoinQuery } from '../../src/rooms/join-query.ts'
import { memberForms } from '../../src/rooms/membership/member-forms.ts'
import { Membership } from '../../src/rooms/membership/membership.ts'
import { Rooms } from '../../src/rooms/rooms.ts'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import type { Store, Feed } from '../../src/store.ts'
import { Counters } from '../../src/observability/stats.ts'
import { chat } from '../support/chat-app.ts'
import { backendWith } from '../support/backend.ts'
import { tick } from '../support/tick.ts'

const format: Format = {
  framing: webSocketFraming,
  entry: (_room, { body }) => body,
  signal: () => undefined,
  ack: () => undefined,
  joined: (_room, { entries }) => entries.map(({ body }) => body)
}
const everything = { limit: Infinity, maxBytes: Infinity }
const nothing = { limit: 0, maxBytes: 0 }

/** A connection that records the numbers of the entries that it receives. */
class Listener extends EventEmitter {
  open = true
  readonly address = { name: '', connections: 1 }
  readonly writer = this
  readonly pendingBytes = 0
  writes = 0
  /** Thrown by the next write. */
  fault: Error | undefined
  readonly received: number[] = []
  readonly #excluded: string | undefined

  /** @param excluded its member id; it doesn't receive entries of this member */
  constructor (excluded?: string) {
    super()
    this.#excluded = excluded
  }

  membershipOf (room: string): Membership {
    const member = { id: this.#excluded ?? 'somebody', name: '' }
    return new Membership(this as unknown as Connection, memberForms(member), room, { format, includeSender: this.#excluded === undefined })
  }

  async drained (): Promise<void> {}

  replay (payloads: readonly string[], messages: number): void { this.#add(payloads, messages) }

  write (frames: Buffer, messages: number): boolean {
    const { fault } = this
    this.fault = undefined
    if (fault !== undefined) throw fault
    const texts = []
    for (let at = 0; at < frames.length; at += 2 + frames[at + 1]!) {
      texts.push(frames.toString('latin1', at + 2, at + 2 + frames[at + 1]!))
    }
    return this.#add(texts, messages)
  }

  #add (texts: readonly string[], messages: number): boolean {
    if (texts.length === 0) return true
    const numbers = texts.map(Number)
    if (numbers.length !== messages) throw new Error(`${messages} announced, ${numbers.length} written`)
    this.received.push(...numbers)
    this.writes++
    this.emit('received')
    return true
  }

  /** Resolves when the connection has received this number or a later one. */
  async hears (n: number): Promise<void> {
    while (!(this.received.at(-1)! >= n)) await once(this, 'received')
  }

  /** Asserts that the connection received each number from the first to `last`, once and in order. */
  hasAll (t: Test, last: number, title = 'no gap, no duplicate'): void {
    const first = this.received[0] ?? last
    t.strictSame(this.received, Array.from({ length: last - first + 1 }, (_, i) => first + i), title)
  }
}

function open (store: Store): Rooms {
  return new Rooms({ store, amend: (...args) => store.amend(...args), roster: new MemoryRoster(), flushInterval: 0, streamLease: BOUNDS.streamLease, counters: new Counters('/') }, { rooms: Infinity, roomsPerAddress: Infinity })
}

/** Joins a room. Resolves, once the room has called back, with a function that leaves it. */
async function join (rooms: Rooms, name: string, listener: Listener, query: JoinQuery): Promise<() => void> {
  const room = rooms.take(name)
  const membership = listener.membershipOf(name)
  try {
    const entered = room.opened.then(() => room.enter(membership))
    await new Promise<void>((resolve, reject) => { room.join(membership, entered, query, resolve).then(resolve, reject) })
  } catch (error) {
    rooms.release(room)
    throw error
  }
  return () => rooms.leave(membership)
}

async function ticks (count: number): Promise<void> {
  while (count-- > 0) await tick()
}

/** Wraps a store so that its reads and follows resolve the given number of ticks later. */
function late (store: Store, { read = () => 0, follow = () => 0 }: { read?: () => number, follow?: () => number }): Store {
  return {
    append: (room, draft) => store.append(room, draft),
    find: (room, key) => store.find(room, key),
    async read (room, query) {
      const page = await store.read(room, query)
      await ticks(read())
      return page
    },
    async follow (room, deliver) {
      await ticks(follow())
      return store.follow(room, deliver)
    },
    get: (...args) => store.get(...args),
    amend: (...args) => store.amend(...args),
    findChange: (...args) => store.findChange(...args),
    control: (...args) => store.control(...args),
    markRead: (...args) => store.markRead(...args),
    readPositions: (...args) => store.readPositions(...args),
    forgetRead: (...args) => store.forgetRead(...args),
    rooms: () => store.rooms(),
    clear: (room) => store.clear(room),
    check: () => store.check(),
    close: () => store.close()
  }
}

/** Appends the numbers `from` to `to`, `perTick` of them in each tick. */
async function storm (store: Store, name: string, from: number, to: number, perTick: number): Promise<void> {
  for (let n = from; n <= to;) {
    for (let i = 0; i < perTick && n <= to; i++, n++) void store.append(name, { from: null, body: String(n) })
    await tick()
  }
}

t.test('a member that joins under load receives all entries from its history on, once, in order', async (t) => {
  const stores: Record<string, () => Store> = {
    'a store that answers at once': () => new MemoryStore(),
    'a store whose reads are late': () => late(new MemoryStore(), { read: () => 3 }),
    'a store whose follow is late': () => late(new MemoryStore(), { follow: () => 5 }),
    'a store whose reads are late by more than the ring': () => {
      let next = 60
      return late(new MemoryStore(), { read: () => (next = Math.floor(next / 2)) })
    }
  }
  for (const [title, make] of Object.entries(stores)) {
    for (const perTick of [1, 7, 40]) {
      for (const history of [nothing, { limit: 5, maxBytes: 1_000_000 }, everything]) {
        const store = make()
        const rooms = open(store)
        const last = 100 * perTick
        const members: Listener[] = []
        const joins: Array<Promise<unknown>> = []
        const joinOne = () => {
          const member = new Listener()
          members.push(member)
          joins.push(join(rooms, 'a', member, history))
        }
        const raging = storm(store, 'a', 1, last, perTick)
        for (let i = 0; i < 80; i++) {
          joinOne()
          if (i % 3 === 0) await Promise.resolve().then(joinOne)
          if (i % 5 === 0) process.nextTick(joinOne)
          await tick()
        }
        await Promise.all(joins)
        await raging
        await storm(store, 'a', last + 1, last + 1, 1)
        await Promise.all(members.map((member) => member.hears(last + 1)))
        const wrong = members.filter(({ received }) => received.some((n, i) => n !== received[0]! + i))
        for (const member of wrong.slice(0, 1)) member.hasAll(t, last + 1)
        t.strictSame([members.length > 80, wrong.length], [true, 0], `${title}, ${perTick} a tick, history ${history.limit}`)
        rooms.close()
      }
    }
  }
})

t.test('a member receives its whole history in one write, before live entries', async (t) => {
  const store = new MemoryStore()
  const rooms = open(store)
  await storm(store, 'a', 1, 10, 10)
  const member = new Listener()
  await join(rooms, 'a', member, { limit: 3, maxBytes: 1_000 })
  t.strictSame([member.received, member.writes], [[8, 9, 10], 1])
  const second = new Listener()
  await join(rooms, 'a', second, nothing)
  t.strictSame(second.received, [])
  await storm(store, 'a', 11, 13, 3)
  await Promise.all([member.hears(13), second.hears(13)])
  t.strictSame([member.received, second.received], [[8, 9, 10, 11, 12, 13], [11, 12, 13]])
  t.equal(member.writes, 2, 'the entries of one tick are one write')
})

t.test('an entry delivered while the last member leaves and another joins reaches the new member', async (t) => {
  const memory = new MemoryStore()
  const store = late(memory, {})
  let deliver!: Parameters<Store['follow']>[1]
  store.follow = async (room, given) => {
    deliver = given
    return memory.follow(room, () => {})
  }
  const delivers = (n: number) => {
    const entry = { offset: n, position: `${n}`, at: 0, from: null, body: String(n) }
    deliver({ entries: [entry], changes: [], complete: true, head: { ...entry, change: { number: 0, revision: 'c0' } } })
  }
  const rooms = open(store)
  const leave = await join(rooms, 'a', new Listener(), nothing)
  let answer!: () => void
  store.read = async (...args) => {
    const page = await memory.read(...args)
    await new Promise<void>((resolve) => { answer = resolve })
    return page
  }
  const member = new Listener()
  const joined = join(rooms, 'a', member, nothing)
  await tick()
  delivers(1)
  leave()
  delivers(2)
  answer()
  await joined
  await tick()
  delivers(3)
  await member.hears(3)
  t.strictSame(member.received, [1, 2, 3])
})

t.test('thousands of members served in slices receive all in order, despite joins and leaves', async (t) => {
  const store = new MemoryStore()
  const rooms = open(store)
  const members = Array.from({ length: 2_000 }, () => new Listener())
  const leaves = await Promise.all(members.map((member) => join(rooms, 'a', member, nothing)))
  const raging = storm(store, 'a', 1, 400, 20)
  const joined: Listener[] = []
  for (let i = 0; i < 30; i++) {
    await tick()
    leaves[i * 50]!()
    const member = new Listener()
    joined.push(member)
    await join(rooms, 'a', member, i % 2 === 0 ? nothing : everything)
  }
  await raging
  await storm(store, 'a', 401, 401, 1)
  const stayed = members.filter((_, i) => i % 50 !== 0 || i >= 1_500)
  await Promise.all([...stayed, ...joined].map((member) => member.hears(401)))
  t.strictSame([...members, ...joined].filter(({ received }) => received.some((n, i) => n !== received[0]! + i)), [])
  t.ok(stayed.every(({ received }) => received.length === 401 && received[0] === 1))
  t.ok(joined.every(({ received }, i) => received.at(-1) === 401 && (i % 2 === 0 || received[0] === 1)))
})

t.test('the event loop runs between slices while many members are served', async (t) => {
  const store = new MemoryStore()
  const rooms = open(store)
  const members = Array.from({ length: 2_000 }, () => new Listener())
  await Promise.all(members.map((member) => join(rooms, 'a', member, nothing)))
  const served: number[] = []
  void store.append('a', { from: null, body: '1' })
  while (members.at(-1)!.received.length === 0) {
    await tick()
    served.push(members.filter(({ received }) => received.length > 0).length)
  }
  const steps = served.map((count, i) => count - (served[i - 1] ?? 0))
  t.ok(steps.every((step) => step <= 1_024), `members served per tick: ${steps}`)
  t.ok(steps.filter((step) => step > 0).length > 1)
})

t.test('a member that excludes its own entries misses no other entry', async (t) => {
  const store = new MemoryStore()
  const rooms = open(store)
  const [excluding, other] = [new Listener('ada'), new Listener()]
  await Promise.all([excluding, other].map((member) => join(rooms, 'a', member, nothing)))
  void store.append('a', { from: null, body: '1' })
  void store.append('a', { from: { id: 'ada', name: '' }, body: '2' })
  void store.append('a', { from: { id: 'bob', name: '' }, body: '3' })
  await ticks(3)
  void store.append('a', { from: { id: 'ada', name: '' }, body: '4' })
  await ticks(3)
  await storm(store, 'a', 5, 5, 1)
  await storm(store, 'a', 6, 6, 1)
  await Promise.all([excluding.hears(6), other.hears(6)])
  t.strictSame([excluding.received, other.received], [[1, 3, 5, 6], [1, 2, 3, 4, 5, 6]])
})

t.test('members of a cleared room receive its new entries from the first', async (t) => {
  const store = new MemoryStore()
  const rooms = open(store)
  const member = new Listener()
  await join(rooms, 'a', member, nothing)
  await storm(store, 'a', 1, 20, 5)
  await member.hears(20)
  await store.clear('a')
  await ticks(2)
  const second = new Listener()
  await join(rooms, 'a', second, everything)
  await storm(store, 'a', 101, 103, 1)
  await second.hears(103)
  await ticks(2)
  t.strictSame([member.received.slice(20), second.received], [[101, 102, 103], [101, 102, 103]])
})

t.test('a member that joins during a clear receives the entries after it', async (t) => {
  const memory = new MemoryStore()
  const held: Array<() => void> = []
  const store = late(memory, {})
  const rooms = open(store)
  await join(rooms, 'a', new Listener(), nothing)
  await storm(store, 'a', 1, 20, 5)
  store.read = async (...args) => {
    const page = await memory.read(...args)
    await new Promise<void>((resolve) => { held.push(resolve) })
    return page
  }
  const member = new Listener()
  const joined = join(rooms, 'a', member, nothing)
  await tick()
  await memory.clear('a')
  await ticks(2)
  store.read = (...args) => memory.read(...args)
  for (const answer of held) answer()
  await joined
  await storm(store, 'a', 101, 103, 1)
  await ticks(3)
  t.strictSame(member.received, [101, 102, 103])
})

t.test('a burst of any size reaches the members', async (t) => {
  const store = new MemoryStore()
  const rooms = open(store)
  const member = new Listener()
  await join(rooms, 'a', member, nothing)
  await storm(store, 'a', 1, 200_000, 200_000)
  await storm(store, 'a', 200_001, 200_001, 1)
  await member.hears(200_001)
  t.equal(member.received.length, 200_001)
  t.ok(member.received.every((n, i) => n === i + 1))
})

t.test('a join whose connection has closed resolves, regardless of the store', async (t) => {
  const memory = new MemoryStore()
  const member = new Listener()
  let reads = 0
  const store = late(memory, {})
  const rooms = open(store)
  await join(rooms, 'a', new Listener(), nothing)
  store.read = async (...args) => {
    const page = await memory.read(...args)
    // More entries arrive during each read than the ring holds.
    if (reads++ < 50) await storm(store, 'a', 1, 600, 600)
    await ticks(2)
    member.open = false
    return page
  }
  await join(rooms, 'a', member, nothing)
  t.equal(reads, 1)
  t.strictSame(member.received, [])
  t.strictSame(rooms.names(), ['a'])
})

t.test('rooms are isolated, and are listed while they have members', async (t) => {
  const store = new MemoryStore()
  const rooms = open(store)
  const [a, b] = [new Listener(), new Listener()]
  const leave = await join(rooms, 'a', a, nothing)
  await join(rooms, 'b', b, nothing)
  t.strictSame(rooms.names(), ['a', 'b'])
  await storm(store, 'a', 1, 1, 1)
  await storm(store, 'b', 2, 2, 1)
  await Promise.all([a.hears(1), b.hears(2)])
  t.strictSame([a.received, b.received], [[1], [2]])
  leave()
  t.strictSame(rooms.names(), ['b'])
  await storm(store, 'a', 3, 3, 1)
  await ticks(3)
  t.strictSame(a.received, [1], 'a member that left receives nothing more')
})

t.test('a failed join leaves no state behind, and the next join starts again', async (t) => {
  const memory = new MemoryStore()
  const failing = new Set(['read', 'follow'])
  const store = late(memory, {})
  for (const call of ['read', 'follow'] as const) {
    const works = store[call].bind(store) as (...args: unknown[]) => Promise<never>
    store[call] = async (...args: unknown[]) => {
      if (failing.has(call)) throw new Error(`${call} failed`)
      return works(...args)
    }
  }
  const rooms = open(store)
  const member = new Listener()
  const both = await Promise.allSettled([join(rooms, 'a', member, nothing), join(rooms, 'a', member, nothing)])
  t.match(both, [{ reason: { message: 'follow failed' } }, { reason: { message: 'follow failed' } }])
  t.strictSame(rooms.names(), [])
  failing.delete('follow')
  await t.rejects(join(rooms, 'a', member, nothing), { message: 'read failed' })
  t.strictSame(rooms.names(), [])
  failing.clear()
  await join(rooms, 'a', member, nothing)
  await storm(store, 'a', 1, 1, 1)
  await member.hears(1)
  t.strictSame(member.received, [1])
})

t.test("a room's fan-out ends 30 s after its last member leaves, and its history stays", async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const memory = new MemoryStore()
  const store = late(memory, {})
  let following = 0
  store.follow = async (room, deliver): Promise<Feed> => {
    const feed = await memory.follow(room, deliver)
    following++
    return { head: feed.head, stop () { following--; feed.stop() } }
  }
  const rooms = open(store)
  const leave = await join(rooms, 'a', new Listener(), nothing)
  const leaveToo = await join(rooms, 'a', new Listener(), nothing)
  leave()
  mock.timers.tick(60_000)
  await tick()
  t.equal(following, 1, 'it stays while the room has a member')
  leaveToo()
  mock.timers.tick(29_999)
  await tick()
  t.equal(following, 1, 'it stays across a page reload')
  const back = new Listener()
  const leaveAgain = await join(rooms, 'a', back, nothing)
  mock.timers.tick(60_000)
  await storm(store, 'a', 1, 2, 1)
  await back.hears(2)
  t.equal(following, 1)
  leaveAgain()
  mock.timers.tick(30_000)
  await tick()
  t.equal(following, 0)
  const later = new Listener()
  await join(rooms, 'a', later, everything)
  t.strictSame(later.received, [1, 2])
  t.equal(following, 1)
  rooms.close()
  await tick()
  t.equal(following, 0, 'close() ends all of them')
})

t.test('at most 256 rooms without members follow the store', async (t) => {
  const following = new Set<Feed>()
  const backend = backendWith((works) => ({
    async follow (...args) {
      const feed = await works.follow(...args)
      following.add(feed)
      return { head: feed.head, stop () { following.delete(feed); feed.stop() } }
    }
  }))
  const { member } = await chat(t, { backend })
  const client = await member()
  for (let i = 0; i < 300; i++) {
    await client.join(`room${i}`)
    await client.leave(`room${i}`)
  }
  while (following.size > 256) await tick()
  t.equal(following.size, 256)
  await client.join('room299')
  t.equal(following.size, 256, 'the room that was left last is still followed')
})

t.test('if a write throws, the other members receive the message, and all the later ones', async (t) => {
  const store = new MemoryStore()
  const rooms = open(store)
  t.teardown(async () => {
    rooms.close()
    await store.close()
  })
  const listeners = [new Listener(), new Listener(), new Listener()]
  for (const listener of listeners) await join(rooms, 'lobby', listener, nothing)
  await tick()
  const warned = once(process, 'warning')
  listeners[0]!.fault = new Error('a broken socket')
  await store.append('lobby', { from: null, body: '1' })
  t.match(await warned, [{ message: 'a broken socket' }])
  await tick()
  await store.append('lobby', { from: null, body: '2' })
  await Promise.all(listeners.map((listener) => listener.hears(2)))
  t.strictSame(listeners.map(({ received }) => received), [[2], [1, 2], [1, 2]])
})
