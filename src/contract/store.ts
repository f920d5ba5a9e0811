import { EventEmitter, once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Store, Draft, Entry, Feed, Cursor, Page, Position, Query } from '../store.ts'

/** Limits that the suite sets on a store. `historyAge`, `dedupWindow`: ms. */
export interface Bounds { readonly historyEntries: number, readonly historyAge: number, readonly dedupWindow: number }

/** Runs a driver under the contract suite. */
export interface Driver<Backend> {
  /** Returns an empty backend for one store's data. It is removed with the test. */
  backend (t: Test): Backend | Promise<Backend>
  /** Opens a store on the backend. The suite closes it. */
  open (backend: Backend, bounds: Bounds): Store | Promise<Store>
  /** Data outlives its store: a later store on the same backend has it. */
  readonly persists?: boolean
  /** Several stores may be open on one backend and share its data. */
  readonly hasPeers?: boolean
}

const ample: Bounds = { historyEntries: 100_000, historyAge: Infinity, dedupWindow: 300_000 }
const all = { limit: 1_000_000, maxBytes: 1_000_000_000 }

export const says = (body: string | Uint8Array, more: Partial<Draft> = {}): Draft => ({ from: null, body, ...more })
export const bodies = ({ entries }: { entries: readonly Entry[] }) => entries.map(({ body }) => body)
export const numbers = ({ entries }: { entries: readonly Entry[] }) => entries.map(({ offset }) => offset)
const upTo = (last: number, first = 1) => Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i)
const mark = ({ offset, position }: Cursor) => ({ offset, position })

/** Appends `count` entries one after another. Resolves with their positions. */
export async function fill (store: Store, room: string, count: number, body: string | Uint8Array = 'x'): Promise<Position[]> {
  const positions: Position[] = []
  for (let i = 0; i < count; i++) positions.push((await store.append(room, says(body))).position)
  return positions
}

/** Returns the same position with another offset. */
function renumbered (position: Position, n: number | string): Position {
  return position.replace(/\d+$/, String(n))
}

/** Returns strings that look like the position of an entry and name none. */
function forged (position: Position): Position[] {
  const [, epoch = '', at, n] = /^(.*)-(\d+)-(\d+)$/.exec(position)!
  const numbers = ['0x3', '-3', '+3', ' 3', '3 ', '03', '3.0', '3e0', '1e3', '3n', '', 'NaN', 'Infinity', '-Infinity', '٣', '9'.repeat(16), '9'.repeat(40), '9007199254740993', '1e309', '3-3']
  return [
    ...numbers.flatMap((number) => [`${epoch}-${at}-${number}`, `${epoch}-${number}-${n}`]),
    ...[epoch, `${epoch}-`, `${epoch}-${n}`, `${epoch}-${at}`, `${epoch}--`, `${epoch}--${n}`, `-${at}-${n}`, `${at}-${n}`, '-', '--', '---'],
    ...[`${epoch}-0-${n}`, `${epoch}-1-${n}`, `${epoch}-${Number(at) + 1e12}-${n}`, `${epoch}-${at}-0x${Number(n).toString(16)}`, `${epoch}-0-0`, `${epoch}-1-0`, `${epoch}-0-1`],
    ...[`${epoch}x-${at}-${n}`, `${epoch.slice(1)}-${at}-${n}`, `${epoch} -${at}-${n}`, `__proto__-${at}-${n}`, `${position}-`, `-${position}`, `${position}\n`, `\n${position}`, `${position}\u0000`, `${epoch}_${at}_${n}`]
  ]
}

/** A follower that collects the pages it receives. */
export class Follower extends EventEmitter {
  readonly pages: Page[] = []
  feed!: Feed

  static async of (store: Store, room: string, then: (page: Page) => void = () => {}): Promise<Follower> {
    const follower = new Follower()
    follower.feed = await store.follow(room, (page) => {
      follower.pages.push(page)
      follower.emit('page')
      then(page)
    })
    return follower
  }

  get entries (): Entry[] { return this.pages.flatMap(({ entries }) => entries) }
  get numbers (): number[] { return numbers(this) }

  async until (satisfied: () => boolean): Promise<void> {
    while (!satisfied()) await once(this, 'page')
  }

  /** Resolves when the entry with this content has been delivered. */
  async has (body: string): Promise<void> {
    await this.until(() => this.entries.some((entry) => entry.body === body))
  }
}

/** Runs the contract of `Store` as one test with a subtest for each promise. */
export function storeContract<Backend> (t: Test, name: string, driver: Driver<Backend>): Promise<unknown> {
  async function store (t: Test, bounds: Partial<Bounds> = {}, backend?: Backend): Promise<Store> {
    const opened = await driver.open(backend ?? await driver.backend(t), { ...ample, ...bounds })
    t.teardown(() => opened.close())
    return opened
  }

  return t.test(`the contract of a store: ${name}`, async (t) => {
    await t.test('entries are numbered 1, 2, 3 … in call order, separately in each room', async (t) => {
      const one = await store(t)
      const rooms = ['a', 'b', 'a:b', '__proto__']
      const marks = await Promise.all(upTo(400).map((i) => one.append(rooms[i % 4]!, says(`${i}`))))
      t.equal(new Set(marks.map(({ position }) => position)).size, 400, 'each entry has its own position')
      for (const { position } of marks) t.match(position, /^[\w.-]{1,128}$/, 'a position needs no escaping in JSON')
      t.strictSame(marks.map(({ offset }) => offset), upTo(400).map((i) => Math.ceil(i / 4)))
      for (const [r, room] of rooms.entries()) {
        const page = await one.read(room, all)
        t.strictSame(bodies(page), upTo(400).filter((i) => i % 4 === r).map(String), room)
        t.strictSame(page.entries.map(mark), marks.filter((_, i) => (i + 1) % 4 === r).map(mark))
        t.strictSame(mark(page.head), mark(page.entries.at(-1)!))
      }
    })

    await t.test('an entry is kept as it was appended', async (t) => {
      const one = await store(t)
      const drafts: Record<string, Draft> = {
        text: says('grüße 👋\u0000\n'),
        'empty text': says(''),
        bytes: says(Uint8Array.from(upTo(255, 0))),
        'no bytes': says(new Uint8Array(0)),
        'a sender with a name': says('x', { from: { id: 'i d', name: 'ädä' } }),
        'a sender without a name': says('x', { from: { id: 'i', name: '' } }),
        data: says('x', { data: JSON.stringify({ reply: [1, null, { deep: true }], text: '"\u2028 grüße 👋' }) }),
        'data that is null': says('x', { data: 'null' }),
        'data that is false': says('x', { data: 'false' }),
        'data in another JSON notation': says('x', { data: '{ "__proto__": 1.0, "\\u0061": 1e2 }' })
      }
      for (const draft of Object.values(drafts)) await one.append('a', draft)
      const delivered = await Follower.of(one, 'b')
      for (const draft of Object.values(drafts)) await one.append('b', draft)
      await delivered.until(() => delivered.entries.length === Object.keys(drafts).length)
      for (const entries of [(await one.read('a', all)).entries, delivered.entries]) {
        for (const [i, [title, { from, body, data }]] of Object.entries(drafts).entries()) {
          const entry = entries[i]!
          t.equal(typeof entry.body === 'string', typeof body === 'string', title)
          t.strictSame([entry.from, Buffer.from(entry.body as string), 'data' in entry], [from, Buffer.from(body as string), data !== undefined], title)
          t.equal(entry.data, data, title)
          t.equal(typeof entry.at, 'number')
        }
      }
    })

    await t.test("a draft that can't be stored is rejected and leaves no state behind", async (t) => {
      const one = await store(t)
      const wrong: Record<string, Draft> = {
        'no body': says(undefined as unknown as string)
      }
      const follower = await Follower.of(one, 'a')
      await fill(one, 'a', 1)
      for (const [title, draft] of Object.entries(wrong)) await t.rejects(one.append('a', draft), title)
      await one.append('a', says('after'))
      await follower.has('after')
      t.strictSame(follower.numbers, [1, 2])
      t.strictSame(bodies(await one.read('a', all)), ['x', 'after'])
    })

    await t.test('entry times never decrease', async (t) => {
      const one = await store(t)
      await Promise.all(upTo(500).map(() => one.append('a', says('x'))))
      const times = (await one.read('a', all)).entries.map(({ at }) => at)
      t.strictSame(times, times.toSorted((a, b) => a - b))
    })

    await t.test('read', async (t) => {
      const one = await store(t)
      const genesis = (await one.read('a', all)).head
      t.equal(genesis.offset, 0)
      const positions = await fill(one, 'a', 10, 'é'.repeat(50))
      const [third, tenth] = [positions[2]!, positions[9]!]
      const cases: Array<[title: string, query: Query, expected: { numbers: number[], more?: boolean }]> = [
        ['the newest', { ...all, limit: 3 }, { numbers: [8, 9, 10], more: true }],
        ['all', all, { numbers: upTo(10) }],
        ['exactly all', { limit: 10, maxBytes: 1_000 }, { numbers: upTo(10) }],
        ['none of them', { ...all, limit: 0 }, { numbers: [], more: true }],
        ['the newest within bytes of content', { limit: 10, maxBytes: 399 }, { numbers: [8, 9, 10], more: true }],
        ['one entry, even if larger than the bytes', { limit: 10, maxBytes: 1 }, { numbers: [10], more: true }],
        ['after an entry, from there on', { ...all, after: third }, { numbers: upTo(10, 4) }],
        ['after an entry, a page', { ...all, limit: 2, after: third }, { numbers: [4, 5], more: true }],
        ['after an entry, exactly the rest', { ...all, limit: 7, after: third }, { numbers: upTo(10, 4) }],
        ['after an entry, within bytes of content', { limit: 9, maxBytes: 399, after: third }, { numbers: [4, 5, 6], more: true }],
        ['after an entry, one larger than the bytes', { limit: 9, maxBytes: 1, after: third }, { numbers: [4], more: true }],
        ['after the newest', { ...all, after: tenth }, { numbers: [] }],
        ['after the genesis', { ...all, limit: 2, after: genesis.position }, { numbers: [1, 2], more: true }],
        ['before an entry', { ...all, before: third }, { numbers: [1, 2] }],
        ['before an entry, a page of the nearest', { ...all, limit: 1, before: third }, { numbers: [2], more: true }],
        ['before an entry, exactly the rest', { ...all, limit: 2, before: third }, { numbers: [1, 2] }],
        ['before an entry, within bytes of content', { limit: 9, maxBytes: 399, before: tenth }, { numbers: [7, 8, 9], more: true }],
        ['before the first', { ...all, before: positions[0]! }, { numbers: [] }],
        ['before the genesis', { ...all, before: genesis.position }, { numbers: [] }]
      ]
      for (const [title, query, { numbers: expected, more = false }] of cases) {
        const page = await one.read('a', query)
        t.strictSame({ numbers: numbers(page), complete: page.complete, more: page.more, head: mark(page.head) },
          { numbers: expected, complete: true, more, head: { offset: 10, position: tenth } }, title)
      }
    })

    await t.test('a position that is not kept gives complete: false and the newest entries', async (t) => {
      const one = await store(t)
      const positions = await fill(one, 'a', 10)
      const [other] = (await fill(one, 'b', 8)).slice(-1)
      const [elsewhere] = (await fill(await store(t), 'a', 8)).slice(-1)
      const cases: Record<string, Position> = {
        "another room's": other!,
        'of another epoch': elsewhere!,
        'of the future': renumbered(positions[9]!, 11),
        'of the far future': renumbered(positions[9]!, Number.MAX_SAFE_INTEGER),
        'of a right number at a wrong time': positions[7]!.replace(/-\d+-/, '-1-'),
        'the number alone': '8',
        'no number': renumbered(positions[9]!, 'x'),
        'a negative number': renumbered(positions[9]!, '-1'),
        'a fraction': `${positions[9]!}.0`,
        'with something before': ` ${positions[9]!}`,
        'with something after': `${positions[9]!} `,
        nothing: '',
        nonsense: '../--9-',
        'a NUL': '\u0000',
        long: 'x'.repeat(128)
      }
      for (const [title, position] of Object.entries(cases)) {
        for (const query of [{ ...all, limit: 3, after: position }, { ...all, limit: 3, before: position }]) {
          const page = await one.read('a', query)
          t.strictSame({ complete: page.complete, numbers: numbers(page), head: page.head.offset },
            { complete: false, numbers: [8, 9, 10], head: 10 }, `${'after' in query ? 'after' : 'before'} one ${title}`)
        }
      }
    })

    await t.test('a forged position is never accepted in after, before, since or erase', async (t) => {
      const one = await store(t, { historyEntries: 3, dedupWindow: 1 })
      const marks: Cursor[] = []
      const post = async () => marks.push(await one.append('a', says('x', { key: `k${marks.length}`, hash: 'h' })))
      do await post(); while (marks.length < 5 || (await one.read('a', { ...all, after: marks[2]!.position })).complete)
      const head = marks.at(-1)!
      const newest = mark(head)
      const later = (position: Position) => position.replace(/-(\d+)-/, (_, at: string) => `-${Number(at) + 1}-`)
      const positions = [head, marks.at(-2)!, marks[2]!, marks[0]!].flatMap(({ position }) => forged(position))
      for (const position of [...positions, later(head.position), later(marks.at(-2)!.position)]) {
        for (const query of [{ ...all, after: position }, { ...all, before: position }]) {
          const page = await one.read('a', query)
          t.strictSame([page.complete, mark(page.head), page.entries.at(-1)?.position], [false, newest, newest.position], JSON.stringify(query))
        }
        await t.rejects(one.append('a', says('forged', { key: 'f', hash: 'h', since: position })), { code: 'FST_CHAT_STALE' }, `since ${JSON.stringify(position)}`)
        await one.erase('a', position)
      }
      t.strictSame(mark((await one.read('a', all)).head), newest, 'nothing is stored')
      t.notOk(bodies(await one.read('a', all)).includes(''), 'nothing is erased')
      for (const position of [...forged((await one.read('empty', all)).head.position)]) {
        t.equal((await one.read('empty', { ...all, after: position })).complete, false, JSON.stringify(position))
      }
    })

    await t.test('a room keeps its newest entries; a trimmed position gives complete: false', async (t) => {
      const one = await store(t, { historyEntries: 5 })
      const genesis = (await one.read('a', all)).head.position
      const positions: Position[] = []
      do positions.push(...await fill(one, 'a', 10)); while ((await one.read('a', { ...all, after: positions[0]! })).complete)
      const page = await one.read('a', all)
      const last = positions.length
      t.ok(page.entries.length >= 5)
      t.strictSame(numbers(page), upTo(last, last - page.entries.length + 1))
      t.strictSame([page.head.offset, page.more], [last, false])
      for (const position of [genesis, positions[0]!]) {
        t.match(await one.read('a', { ...all, limit: 2, after: position }), { complete: false, entries: [{ offset: last - 1 }, { offset: last }] })
        t.match(await one.read('a', { ...all, limit: 2, before: position }), { complete: false, entries: [{ offset: last - 1 }, { offset: last }] })
      }
      const oldest = page.entries[0]!
      t.match(await one.read('a', { ...all, after: oldest.position }), { complete: true, entries: page.entries.slice(1).map(mark), more: false })
      t.match(await one.read('a', { ...all, before: oldest.position }), { complete: true, entries: [], more: false })
    })

    await t.test('entries older than historyAge are not returned, nor are their positions honoured', async (t) => {
      const young = await store(t, { historyAge: 3_600_000 })
      const kept = await fill(young, 'a', 3)
      t.match(await young.read('a', { ...all, after: kept[0]! }), { complete: true, more: false, entries: [{ offset: 2 }, { offset: 3 }] })
      t.match(await young.read('a', { ...all, before: kept[2]! }), { complete: true, more: false, entries: [{ offset: 1 }, { offset: 2 }] })

      const one = await store(t, { historyAge: 1 })
      const beginning = (await one.read('a', all)).head.position
      const follower = await Follower.of(one, 'a')
      const old = await fill(one, 'a', 12)
      // The store's clock moves on by itself.
      while ((await one.read('a', all)).entries.length > 0) await turn()
      for (const position of [beginning, ...old]) {
        for (const query of [{ after: position }, { before: position }]) {
          t.match(await one.read('a', { ...all, ...query }), { complete: false, more: false, entries: [], head: { offset: 12, position: old[11] } })
        }
      }
      const late = await Follower.of(one, 'a')
      t.strictSame(late.feed.head.offset, 12)
      t.equal((await one.append('a', says('end'))).offset, 13)
      await Promise.all([follower, late].map((each) => each.has('end')))
      t.strictSame([follower.numbers, late.numbers], [upTo(13), [13]])
      t.ok([...follower.pages, ...late.pages].every(({ complete }) => complete), 'an entry that was delivered before it was removed is no gap')
    })

    await t.test('the position of an empty room can be resumed from', async (t) => {
      const one = await store(t)
      const { head } = await one.read('a', all)
      t.match(await one.read('a', { ...all, after: head.position }), { complete: true, entries: [], more: false })
      const feed = await one.follow('b', () => {})
      t.equal(feed.head.offset, 0)
      for (const room of ['a', 'b']) await fill(one, room, 2)
      t.match(await one.read('a', { ...all, after: head.position }), { complete: true, entries: [{ offset: 1 }, { offset: 2 }] })
      t.match(await one.read('b', { ...all, after: feed.head.position }), { complete: true, entries: [{ offset: 1 }, { offset: 2 }] })
    })

    await t.test('a read is never older than an acknowledged or delivered entry', async (t) => {
      const one = await store(t)
      const reads: Array<Promise<boolean>> = []
      const follower = await Follower.of(one, 'a', (page) => {
        reads.push(one.read('a', { ...all, limit: 1 }).then(({ head }) => head.offset >= page.entries.at(-1)!.offset))
      })
      await Promise.all(upTo(200).map(async () => {
        const { offset: n } = await one.append('a', says('x'))
        reads.push(one.read('a', { ...all, limit: 1 }).then(({ head, entries }) => head.offset >= n && entries[0]!.offset >= n))
      }))
      await follower.until(() => follower.entries.length === 200)
      t.ok((await Promise.all(reads)).every((newer) => newer))
    })

    await t.test('a known key returns the position of its first entry', async (t) => {
      const one = await store(t)
      for (const [i, key] of ['k', 'member id', '__proto__', 'ü\u0000', 'x'.repeat(500)].entries()) {
        const room = `room${i}`
        const draft = says('hello', { key, hash: 'h' })
        t.equal(await one.find(room, key), undefined)
        const first = await one.append(room, draft)
        t.equal(first.again, false)
        const again = await one.append(room, { ...draft, since: 'any' })
        t.strictSame([mark(again), again.again], [mark(first), true], 'with any since')
        t.strictSame(mark((await one.find(room, key))!), mark(first))
        t.equal(await one.find(room, `${key}2`), undefined)
        t.equal(await one.find('elsewhere', key), undefined, 'the key is known in its room only')
        await t.rejects(one.append(room, { ...draft, hash: 'other' }), { code: 'FST_CHAT_REUSED' }, 'the key is rejected with other content')
        t.strictSame(numbers(await one.read(room, all)), [1], 'the entry is stored once')
      }
    })

    await t.test('simultaneous repeats are stored and delivered once', async (t) => {
      const one = await store(t)
      const follower = await Follower.of(one, 'a')
      const marks = await Promise.all(upTo(60).map((i) => one.append('a', says(`${i % 3}`, { key: `${i % 3}`, hash: 'h' }))))
      t.equal(marks.filter(({ again }) => !again).length, 3)
      t.equal(new Set(marks.map(({ position }) => position)).size, 3)
      t.equal((await one.append('a', says('1', { key: '1', hash: 'h' }))).again, true)
      await one.append('a', says('end'))
      await follower.has('end')
      t.strictSame(follower.entries.map(({ body }) => body), ['1', '2', '0', 'end'])
    })

    await t.test('entries without a key are never repeats', async (t) => {
      const one = await store(t)
      t.strictSame((await Promise.all([one.append('a', says('x')), one.append('a', says('x'))])).map(({ offset }) => offset), [1, 2])
    })

    await t.test('a key is remembered as long as its entry', async (t) => {
      const one = await store(t, { historyEntries: 5, dedupWindow: 1 })
      for (const i of upTo(30)) await one.append('a', says(`${i}`, { key: `${i}`, hash: 'h' }))
      for (const { offset: n, body } of (await one.read('a', all)).entries) t.equal((await one.find('a', body as string))?.offset, n)
    })

    await t.test('a post whose key may have been forgotten is STALE; any other is stored', async (t) => {
      const one = await store(t, { historyEntries: 2, dedupWindow: 1 })
      const genesis = (await one.read('a', all)).head.position
      const marks: Cursor[] = []
      const keyed = async () => marks.push(await one.append('a', says('x', { key: `k${marks.length}`, hash: 'h' })))
      do await keyed(); while (marks.length < 3 || await one.find('a', 'k1') !== undefined)
      const { head } = await one.read('a', all)
      const [elsewhere] = (await fill(await store(t), 'a', marks.length)).slice(-1)
      const [other] = (await fill(one, 'b', marks.length)).slice(-1)
      const stale: Record<string, Position> = {
        'the genesis': genesis,
        'before a forgotten one': marks[0]!.position,
        'another epoch': elsewhere!,
        "another room's": other!,
        'the future': renumbered(head.position, head.offset + 1),
        nonsense: 'x',
        nothing: ''
      }
      for (const [title, since] of Object.entries(stale)) {
        await t.rejects(one.append('a', says('x', { key: 'k1', hash: 'h', since })), { code: 'FST_CHAT_STALE' }, `since ${title}`)
      }
      t.equal((await one.read('a', all)).head.offset, head.offset, 'it is not stored')
      const { offset: n, again } = await one.append('a', says('x', { key: 'new', hash: 'h', since: head.position }))
      t.strictSame([n, again], [head.offset + 1, false], 'since the newest position it is stored')
      t.equal((await one.append('a', says('x', { key: 'new', hash: 'h', since: genesis }))).again, true, 'a known key is never STALE')
    })

    await t.test('a follower receives exactly the entries after its head, in order, once', async (t) => {
      const one = await store(t)
      await fill(one, 'a', 2)
      const first = await Follower.of(one, 'a')
      t.strictSame(mark(first.feed.head), mark((await one.read('a', all)).head))
      await fill(one, 'a', 3)
      await fill(one, 'b', 3)
      const undelivered = one.append('a', says('undelivered, perhaps, when the second comes'))
      const second = await Follower.of(one, 'a')
      await undelivered
      await one.append('a', says('end'))
      await Promise.all([first.has('end'), second.has('end')])
      t.strictSame(first.numbers, upTo(7, 3))
      t.strictSame(second.numbers, upTo(7, second.feed.head.offset + 1))
      t.ok([...first.pages, ...second.pages].every(({ complete, head, entries }) => complete && head.offset >= entries.at(-1)!.offset))
      t.strictSame(first.entries, (await one.read('a', all)).entries.slice(2), 'delivered as they are read')
    })

    await t.test('a follower that joins under load misses no entry and receives none twice', async (t) => {
      const one = await store(t)
      const followers: Follower[] = []
      const joins: Array<Promise<unknown>> = []
      const appends: Array<Promise<Cursor>> = []
      const join = () => joins.push(Follower.of(one, 'a').then((follower) => followers.push(follower)))
      for (const round of upTo(60)) {
        for (const i of upTo(17)) {
          appends.push(one.append('a', says(`${round} ${i}`)))
          if (i === 1 + round % 17) join()
        }
        if (round % 2 === 0) queueMicrotask(join)
        if (round % 3 === 0) process.nextTick(join)
        if (round % 4 === 0) await appends.at(-1)
        else await turn()
      }
      t.strictSame((await Promise.all(appends)).map(({ offset }) => offset), upTo(60 * 17))
      await Promise.all(joins)
      await one.append('a', says('end'))
      const kept = (await one.read('a', all)).entries
      await Promise.all(followers.map((follower) => follower.has('end')))
      t.equal(followers.length, 60 + 30 + 20)
      t.strictSame(followers.filter(({ entries, feed }) => entries.some(({ offset: n }, i) => n !== feed.head.offset + 1 + i)).length, 0)
      t.strictSame(followers.filter(({ entries, feed }) => entries.length !== 60 * 17 + 1 - feed.head.offset).length, 0)
      t.strictSame(followers[0]!.entries, kept.slice(followers[0]!.feed.head.offset), 'the order is that of reading')
    })

    await t.test('entries are never delivered inside append or inside another delivery', async (t) => {
      const one = await store(t)
      let inside = 0
      let deepest = 0
      const append = (body: string) => {
        inside++
        const stored = one.append('a', says(body))
        inside--
        return stored
      }
      const follower = await Follower.of(one, 'a', ({ entries }) => {
        deepest = Math.max(deepest, inside)
        inside++
        for (const { offset: n } of entries) if (n < 100) append(`${n + 1}`).catch(t.error)
        inside--
      })
      const second = await Follower.of(one, 'a', () => { deepest = Math.max(deepest, inside) })
      await append('1')
      await Promise.all([follower.has('100'), second.has('100')])
      t.equal(deepest, 0)
      t.strictSame(follower.entries.map(({ offset: n, body }) => [n, body]), upTo(100).map((n) => [n, `${n}`]), "a follower's own appends are delivered in order")
      t.strictSame(second.numbers, upTo(100))
    })

    const arrangements: Record<string, (run: () => void, store: Store) => void> = {
      'appended in the same tick': (run) => run(),
      'while another room is about to be delivered': (run, store) => {
        void store.append('other', says('x'))
        run()
      },
      'followed in a tick, ahead of a delivery': (run, store) => {
        queueMicrotask(() => process.nextTick(run))
        void store.append('other', says('x'))
      },
      'followed during a delivery': (run, store) => {
        void store.follow('other', run).then(() => store.append('other', says('x')))
      }
    }
    for (const [title, arrange] of Object.entries(arrangements)) {
      await t.test(`a follower is first called after its promise's reactions have run: ${title}`, async (t) => {
        const one = await store(t)
        await one.follow('other', () => {})
        let live = false
        let begun = false
        const delivered = new Promise<boolean>((resolve) => {
          arrange(() => {
            if (begun) return
            begun = true
            const following = (async () => await one.follow('a', () => resolve(live)))()
            void following.then(async (feed) => feed).then(() => {
              live = true
              void one.append('a', says('at the latest now'))
            })
            void one.append('a', says('x'))
          }, one)
        })
        t.equal(await delivered, true)
      })
    }

    const throws: Record<string, unknown> = { 'an Error': new Error('its own'), 'a string': 'its own', nothing: undefined, 'an object': { its: 'own' } }
    for (const [title, thrown] of Object.entries(throws)) {
      await t.test(`a follower that throws ${title} affects neither other followers nor itself`, async (t) => {
        const one = await store(t)
        const thrower = await Follower.of(one, 'a', () => { throw thrown })
        const other = await Follower.of(one, 'a')
        await fill(one, 'a', 3)
        await one.append('a', says('end'))
        await Promise.all([thrower.has('end'), other.has('end')])
        t.strictSame([thrower.numbers, other.numbers], [upTo(4), upTo(4)])
      })
    }

    await t.test('after stop, deliver is not called again', async (t) => {
      const one = await store(t)
      const stopping = await Follower.of(one, 'a', () => stopping.feed.stop())
      const first = await Follower.of(one, 'a', () => stopped.feed.stop())
      const stopped = await Follower.of(one, 'a')
      const witness = await Follower.of(one, 'a')
      await one.append('a', says('one'))
      await witness.has('one')
      const underWay = one.append('a', says('two'))
      first.feed.stop()
      first.feed.stop()
      stopped.feed.stop()
      const before = [stopping, first, stopped].map(({ numbers }) => numbers)
      await underWay
      await one.append('a', says('three'))
      await witness.has('three')
      t.strictSame([stopping, first, stopped].map(({ numbers }) => numbers), before, 'not even for an append that was in flight')
      t.strictSame([stopping.numbers, witness.numbers], [[1], [1, 2, 3]])
      t.ok(stopped.pages.length <= 1, 'one stopped during a delivery receives at most that delivery')
      const again = await Follower.of(one, 'a')
      await one.append('a', says('four'))
      await again.has('four')
      t.strictSame(again.numbers, [4], 'a new follower receives new entries')
    })

    await t.test('erasing an entry empties it and keeps its position', async (t) => {
      const one = await store(t)
      const positions = await fill(one, 'a', 3)
      await one.append('a', says('secret', { from: { id: 'i', name: 'ada' }, data: '{"secret":true}', key: 'k', hash: 'h' }))
      const { head, entries } = await one.read('a', all)
      await one.erase('a', head.position)
      const page = await one.read('a', { ...all, after: positions[2]! })
      t.match(page, { complete: true, entries: [{ offset: 4, body: '', position: head.position, at: entries[3]!.at }] })
      t.notOk('data' in page.entries[0]!)
      t.match(await one.read('a', { ...all, after: head.position }), { complete: true, entries: [] })
      t.equal((await one.append('a', says('secret', { key: 'k', hash: 'h' }))).again, true, 'its key is still known')
      await one.erase('a', head.position)
      for (const position of ['x', renumbered(head.position, 9), (await one.read('b', all)).head.position]) await one.erase('a', position)
      await one.erase('no such room', head.position)
      await one.clear('no such room')
      t.strictSame(bodies(await one.read('a', all)), ['x', 'x', 'x', ''], 'nothing else is erased')
    })

    await t.test('erasing an invalid position rejects and changes nothing', async (t) => {
      const one = await store(t)
      await fill(one, 'a', 3)
      for (const position of [undefined, null, '', 0, 1, {}, ['x']] as string[]) {
        await t.rejects(one.erase('a', position), { code: 'FST_CHAT_INVALID_ARGUMENT', message: /'position'/ }, JSON.stringify(position))
      }
      t.strictSame(bodies(await one.read('a', all)), ['x', 'x', 'x'])
    })

    await t.test('clearing a room removes its entries, keys and positions', async (t) => {
      const one = await store(t)
      const genesis = (await one.read('a', all)).head.position
      const positions = await fill(one, 'a', 3)
      await one.append('a', says('x', { key: 'k', hash: 'h' }))
      const [elsewhere] = await fill(one, 'b', 1)
      await one.clear('a')
      const empty = await one.read('a', all)
      t.strictSame(bodies(empty), [])
      t.equal(await one.find('a', 'k'), undefined)
      for (const position of [genesis, ...positions]) {
        t.equal((await one.read('a', { ...all, after: position })).complete, false)
        await t.rejects(one.append('a', says('x', { key: 'k', hash: 'h', since: position })), { code: 'FST_CHAT_STALE' })
      }
      await fill(one, 'a', 4)
      for (const position of [genesis, ...positions]) t.equal((await one.read('a', { ...all, after: position })).complete, false, 'also when the room has as many entries again')
      t.match(await one.read('a', { ...all, after: empty.head.position }), { complete: true, entries: { length: 4 } }, 'a position from after the clear is kept')
      t.equal((await one.read('b', { ...all, after: elsewhere! })).complete, true, 'every other room is kept')
    })

    await t.test('followers of a cleared room receive a reset, then all its new entries', async (t) => {
      const one = await store(t)
      await fill(one, 'a', 5)
      const followers = [await Follower.of(one, 'a'), await Follower.of(one, 'a')]
      await one.append('a', says('before'))
      await Promise.all(followers.map((follower) => follower.has('before')))
      const erased = one.clear('a')
      const same = one.append('a', says('in the same turn'))
      await Promise.all([erased, same])
      const late = await Follower.of(one, 'a')
      await one.append('a', says('end'))
      await Promise.all([...followers, late].map((follower) => follower.has('end')))
      for (const { pages } of followers) {
        const told = pages.findIndex(({ complete }) => !complete)
        t.strictSame(pages[told]!.entries, [])
        t.strictSame(pages.slice(0, told).flatMap(bodies), ['before'])
        const after = pages.slice(told + 1)
        t.ok(after.every(({ complete }) => complete))
        t.strictSame(after.flatMap(numbers), upTo(2, pages[told]!.head.offset + 1))
        t.match(await one.read('a', { ...all, after: pages[told]!.head.position }), { complete: true, entries: { length: 2 - pages[told]!.head.offset } })
      }
      t.strictSame(late.numbers, upTo(2, late.feed.head.offset + 1))
    })

    await t.test('check resolves while appends can succeed', async (t) => {
      await t.resolves((await store(t)).check())
    })

    const calls: Record<string, (one: Store) => Promise<unknown>> = {
      append: (one) => one.append('a', says('x', { key: 'k', hash: 'h' })),
      find: (one) => one.find('a', 'k'),
      read: (one) => one.read('a', all),
      'read of a room of its own': (one) => one.read('new', all),
      follow: (one) => one.follow('a', () => {}),
      'erase an entry': (one) => one.erase('a', 'x'),
      'clear a room': (one) => one.clear('a'),
      check: (one) => one.check()
    }
    await t.test('after close every call rejects CLOSED, and none throws', async (t) => {
      for (const open of [1, 2]) {
        const one = await store(t)
        if (open === 2) await fill(one, 'a', 1)
        const { feed } = await Follower.of(one, 'a')
        await Promise.all([one.close(), one.close()])
        await one.close()
        for (const [title, call] of Object.entries(calls)) {
          let called!: Promise<unknown>
          t.doesNotThrow(() => { called = call(one) }, title)
          await t.rejects(called, { code: 'FST_CHAT_STORE_CLOSED' }, title)
        }
        t.doesNotThrow(() => feed.stop())
      }
    })

    await t.test('close under load settles every call, keeps acknowledged entries and ends delivery', async (t) => {
      const backend = await driver.backend(t)
      const one = await store(t, {}, backend)
      const follower = await Follower.of(one, 'a')
      const acked: Cursor[] = []
      const outcomes: Array<Promise<unknown>> = []
      const late: Follower[] = []
      const storm = () => {
        for (const i of upTo(50)) outcomes.push(one.append('a', says(`${i}`)).then((stored) => acked.push(stored)))
        for (const call of [calls['find']!, calls['read']!, calls['check']!]) outcomes.push(call(one))
        outcomes.push(one.append('b', says('x')), one.clear('b'), Follower.of(one, 'a').then((follower) => late.push(follower)))
      }
      storm()
      await outcomes[0]
      storm()
      const closing = one.close()
      storm()
      // Handled from the start: calls reject during the close, before it resolves.
      const settling = Promise.allSettled(outcomes)
      await Promise.all([closing, one.close()])
      const delivered = [follower, ...late].map(({ pages }) => pages.length)
      const settled = await settling
      const codes = settled.flatMap((outcome) => outcome.status === 'rejected' ? [(outcome.reason as { code?: string }).code] : [])
      t.ok(codes.length >= 50)
      t.strictSame(codes.filter((code) => !['FST_CHAT_STORE_CLOSED', 'FST_CHAT_UNAVAILABLE', 'FST_CHAT_UNKNOWN'].includes(code ?? '')), [])
      await turn()
      t.strictSame([follower, ...late].map(({ pages }) => pages.length), [...delivered, ...late.slice(delivered.length - 1).map(() => 0)])
      t.strictSame(follower.numbers, upTo(follower.numbers.length))
      t.strictSame(new Set(acked.map(({ offset }) => offset)).size, acked.length)
      if (driver.persists !== true) return
      const kept = new Set((await (await store(t, {}, backend)).read('a', all)).entries.map(({ position }) => position))
      t.strictSame(acked.filter(({ position }) => !kept.has(position)), [])
    })

    if (driver.persists === true) await persistence(t)
    if (driver.hasPeers === true) await peers(t)
  })

  async function persistence (t: Test): Promise<void> {
    await t.test('a reopened store continues with its data', async (t) => {
      const backend = await driver.backend(t)
      const one = await store(t, {}, backend)
      const genesis = (await one.read('a', all)).head.position
      await Promise.all(upTo(100).map((i) => one.append('a', says(`${i}`, { key: `${i}`, hash: 'h', data: `${i}`, from: { id: 'i', name: 'n' } }))))
      const empty = (await one.read('empty', all)).head.position
      await one.append('b', says(Uint8Array.of(0, 255)))
      const before = await one.read('a', all)
      await one.close()

      const two = await store(t, {}, backend)
      t.strictSame(await two.read('a', all), before)
      t.strictSame((await two.read('a', { ...all, after: genesis })).entries, before.entries, 'positions stay valid')
      t.match(await two.read('a', { ...all, after: before.head.position }), { complete: true, entries: [] })
      t.equal((await two.read('empty', { ...all, after: empty })).complete, true, 'the position of an empty room too')
      t.strictSame(Buffer.from((await two.read('b', all)).entries[0]!.body as Uint8Array), Buffer.from([0, 255]))
      const again = await two.append('a', says('7', { key: '7', hash: 'h' }))
      t.strictSame([again.offset, again.again], [7, true], 'keys are known')
      await t.rejects(two.append('a', says('7', { key: '7', hash: 'other' })), { code: 'FST_CHAT_REUSED' })
      const follower = await Follower.of(two, 'a')
      t.strictSame(mark(follower.feed.head), mark(before.head))
      t.equal((await two.append('a', says('end'))).offset, 101)
      await follower.has('end')
      t.ok(follower.entries[0]!.at >= before.entries.at(-1)!.at)
    })

    await t.test('erased entries and cleared rooms stay so after a restart', async (t) => {
      const backend = await driver.backend(t)
      const one = await store(t, {}, backend)
      const [position] = await fill(one, 'a', 2, 'secret')
      const [old] = await fill(one, 'b', 2, 'secret')
      await one.erase('a', position!)
      await one.clear('b')
      await one.close()
      const two = await store(t, {}, backend)
      t.strictSame(bodies(await two.read('a', all)), ['', 'secret'])
      t.match(await two.read('b', { ...all, after: old! }), { complete: false, entries: [] })
    })
  }

  async function peers (t: Test): Promise<void> {
    await t.test('peers share one numbering, and their followers receive one order', async (t) => {
      const backend = await driver.backend(t)
      const both = [await store(t, {}, backend), await store(t, {}, backend)]
      const followers = await Promise.all([...both, ...both].map((one) => Follower.of(one, 'a')))
      const marks = await Promise.all(upTo(500).map((i) => both[i % 2]!.append('a', says(`${i}`))))
      t.strictSame(marks.map(({ offset }) => offset).toSorted((a, b) => a - b), upTo(500))
      for (const parity of [0, 1]) {
        const own = marks.filter((_, i) => i % 2 === parity).map(({ offset }) => offset)
        t.strictSame(own, own.toSorted((a, b) => a - b), 'each peer numbers in the order of its calls')
      }
      await both[0]!.append('a', says('end'))
      await Promise.all(followers.map((follower) => follower.has('end')))
      const { entries } = await both[1]!.read('a', all)
      for (const follower of followers) t.strictSame(follower.entries, entries)
    })

    await t.test('a repeat is known to a peer, also simultaneously', async (t) => {
      const backend = await driver.backend(t)
      const both = [await store(t, {}, backend), await store(t, {}, backend)]
      const draft = says('x', { key: 'k', hash: 'h' })
      const marks = await Promise.all(upTo(20).map((i) => both[i % 2]!.append('a', draft)))
      t.equal(marks.filter(({ again }) => !again).length, 1)
      t.equal((await both[0]!.find('a', 'k'))?.offset, 1)
      t.equal((await both[1]!.find('a', 'k'))?.offset, 1)
      await t.rejects(both[1]!.append('a', { ...draft, hash: 'other' }), { code: 'FST_CHAT_REUSED' })
    })

    await t.test("a position is valid at a peer, and a peer's followers receive the reset of a clear", async (t) => {
      const backend = await driver.backend(t)
      const [one, two] = [await store(t, {}, backend), await store(t, {}, backend)]
      const follower = await Follower.of(two, 'a')
      const positions = await fill(one, 'a', 3)
      await follower.until(() => follower.entries.length === 3)
      t.match(await two.read('a', { ...all, after: positions[0]! }), { complete: true, entries: [{ offset: 2 }, { offset: 3 }] })
      await one.clear('a')
      await one.append('a', says('end'))
      await follower.has('end')
      t.equal(follower.pages.filter(({ complete }) => !complete).length, 1)
      t.equal((await two.read('a', { ...all, after: positions[0]! })).complete, false)
    })

    await t.test('closing a store does not affect its peer', async (t) => {
      const backend = await driver.backend(t)
      const [one, two] = [await store(t, {}, backend), await store(t, {}, backend)]
      const follower = await Follower.of(two, 'a')
      await fill(one, 'a', 3)
      await one.close()
      await two.append('a', says('end'))
      await follower.has('end')
      t.strictSame(follower.numbers, upTo(4))
    })
  }
}
