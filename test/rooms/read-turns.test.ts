import t from 'tap'
import type { Test } from 'tap'
import { readWithStreams } from '../../src/rooms/replay/missed-streams.ts'
import { ReadTurns } from '../../src/rooms/replay/read-turns.ts'
import { backendWith } from '../support/backend.ts'
import { chat } from '../support/chat-app.ts'
import type { Store } from '../../src/store.ts'

const turn = () => new Promise<void>((resolve) => { setImmediate(resolve) })

t.test('a turn of the event loop begins the reads of 1,000 messages, in order', async (t) => {
  const turns = new ReadTurns()
  const begun: string[] = []
  const read = (name: string, messages: number) => {
    const wait = turns.wait(messages)
    if (wait === undefined) begun.push(name)
    else wait.then(() => begun.push(name), t.fail)
  }
  read('a', 1_000)
  for (const name of ['b', 'c', 'd']) read(name, 500)
  read('e', 2_000)
  read('f', 1)
  t.strictSame(begun, ['a'])
  for (const expected of ['abc', 'abcd', 'abcde', 'abcdef']) {
    await turn()
    t.equal(begun.join(''), expected)
  }
  await turn()
  read('g', 999)
  read('h', 1)
  t.equal(begun.join(''), 'abcdefgh', 'a turn without reads before it is not full')
})

t.test('what a read did not return is left for others of the same turn', async (t) => {
  const turns = new ReadTurns()
  t.equal(turns.wait(1_000), undefined)
  let begun = 0
  for (let i = 0; i < 3; i++) turns.wait(1_000)?.then(() => { begun++; if (begun < 2) turns.release(1_000) }, t.fail)
  turns.release(1_000)
  for (let i = 0; i < 5; i++) await Promise.resolve()
  t.equal(begun, 2)
  await turn()
  t.equal(begun, 3)
})

/** Starts a chat. `reads` has the number of its reads with a limit, by the turn of the event loop. */
async function counted (t: Test, limit: number) {
  let current = 0
  let next = setImmediate(function count () {
    current++
    next = setImmediate(count)
  })
  t.teardown(() => clearImmediate(next))
  const reads = new Map<number, number>()
  let store!: Store
  const server = await chat(t, {
    backend: backendWith((works) => {
      store = works
      return {
        read (room, query) {
          if (query.limit === limit) reads.set(current, (reads.get(current) ?? 0) + 1)
          return works.read(room, query)
        }
      }
    })
  })
  return { server, reads, store }
}

for (const side of ['before', 'after']) {
  t.test(`members that read history ${side} a position in one turn read in turns of their own`, async (t) => {
    const { server, reads } = await counted(t, 1_000)
    const after = (await (await server.member({}, 'a')).posted('a', '1'))
    const members = await Promise.all(Array.from({ length: 10 }, async () => await server.member()))
    for (const member of members) await member.join('a', { after })
    reads.clear()
    for (const member of members) member.say({ type: 'history', room: 'a', [side]: after, limit: 1_000 })
    for (const member of members) await member.expect('history')
    t.strictSame([...reads.values()], new Array(10).fill(1))
  })
}

t.test('pages of nothing but streaming messages are read in turns of their own', async (t) => {
  const { server, reads, store } = await counted(t, 600)
  for (let i = 0; i < 999; i++) await store.append('a', { from: null, body: '', streaming: true })
  const before = await server.app.chat.publish('a', { text: 'last' })
  const member = await server.member({}, 'a')
  member.say({ type: 'history', room: 'a', before, limit: 600 })
  t.match(await member.next(), { type: 'history', messages: [], more: false })
  t.strictSame([...reads.values()], [1, 1])
})

t.test('resumes that read streams alone read them in turns', async (t) => {
  const turns = new ReadTurns()
  let begun = 0
  const head = { offset: 0, position: 'e', change: { number: 0, revision: 'r' } }
  const room = {
    async get () { begun++; return undefined },
    async read () { return { entries: [], complete: true, more: false, head, changed: [], moreChanged: false, revision: 'r' } }
  }
  const missed = { outstanding: ['1', '2', '3', '4', '5'], hasBegun: false }
  const reads = Array.from({ length: 5 }, async () => await readWithStreams(room, turns, { after: 'e', limit: 1, maxBytes: 1 }, missed))
  for (let i = 0; i < 5; i++) await Promise.resolve()
  for (const expected of [10, 20, 25]) {
    t.equal(begun, expected)
    await turn()
  }
  await Promise.all(reads)
})
