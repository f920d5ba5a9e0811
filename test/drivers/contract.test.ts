import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { rosterContract } from '../../src/contract/roster.ts'
import type { Test } from '../../src/contract/runner.ts'
import { storeContract } from '../../src/contract/store.ts'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import type { Roster } from '../../src/roster.ts'
import type { Store } from '../../src/store.ts'

t.test('the suites run under node:test', async (t) => {
  // A process that node:test started reports to its parent instead of writing TAP.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const { stdout } = await promisify(execFile)(process.execPath,
    ['--import', 'tsx', '--test', '--test-reporter=tap', 'test/support/fixtures/node-test-contract.ts'], { env })
  t.match(stdout, /^ok \d+ - the contract of a store$/m)
  t.match(stdout, /^ok \d+ - the contract of a roster$/m)
  t.match(stdout, /^# fail 0$/m)
  const subtests = stdout.match(/^ {4}ok \d+ - .+$/gm) ?? []
  t.ok(subtests.length > 50, `${subtests.length} subtests passed`)
})

/** Runs one subtest of a suite without a test runner. Resolves with the error that it rejects with; `undefined` if it passes. */
async function failure (wanted: string, run: (test: Test) => Promise<void>): Promise<unknown> {
  const outcomes: unknown[] = []
  const subtest: Test = async (title, run) => {
    if (title === wanted) outcomes.push(await run({ test: subtest }).catch((error: unknown) => error))
  }
  await run(async (_, suite) => { await suite({ test: subtest }) })
  if (outcomes.length !== 1) throw new Error(`${outcomes.length} subtests have the title '${wanted}'`)
  return outcomes[0]
}

/** Returns an object that differs from another in some of its methods. */
function changed<T extends object> (original: T, changes: Partial<T>): T {
  return new Proxy(original, {
    get: (_, name) => {
      const value: unknown = Reflect.get(name in changes ? changes : original, name)
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(original) : value
    }
  })
}

t.test('a store that breaks a promise fails its subtest', async (t) => {
  const faults: Record<string, (store: Store) => Partial<Store>> = {
    'a known key returns the position of its first entry': (store) => ({
      append: (room, { from, body }) => store.append(room, { from, body })
    }),
    'a position that is not kept gives complete: false and the newest entries': (store) => ({
      read: async (room, query) => ({ ...await store.read(room, query), complete: true })
    }),
    'a follower receives exactly the entries after its head, in order, once': (store) => ({
      follow: (room, deliver) => store.follow(room, (page) => deliver({ ...page, entries: page.entries.toReversed(), head: { ...page.head, offset: 0 } }))
    }),
    'clearing a room removes its entries, keys and positions': () => ({ clear: () => Promise.resolve() }),
    'after close every call rejects CLOSED, and none throws': () => ({ check: () => Promise.resolve() })
  }
  for (const [title, fault] of Object.entries(faults)) {
    const open = () => new MemoryStore()
    t.equal(await failure(title, (test) => storeContract(test, { open })), undefined, `${title}: passes`)
    const openBroken = () => {
      const store = open()
      return changed<Store>(store, fault(store))
    }
    t.match(await failure(title, (test) => storeContract(test, { open: openBroken })), { code: 'ERR_ASSERTION' }, `${title}: fails`)
  }
})

t.test('a roster that breaks a promise fails its subtest', async (t) => {
  const faults: Record<string, (roster: Roster) => Partial<Roster>> = {
    'a watcher receives the whole state at once and after each change': (roster) => ({
      watch: (room, onPresence) => roster.watch(room, (presence) => onPresence({ ...presence, stale: true }))
    }),
    'a signal reaches the listeners of its room': (roster) => ({ signal: (room) => roster.signal(room, { typing: { id: 'x', name: 'x' } }) }),
    'an invalid restriction rejects and changes nothing': () => ({ restrict: () => Promise.resolve() }),
    'check resolves while members can enter': () => ({ check: () => Promise.reject(new Error('unavailable')) }),
    'check rejects after close': () => ({ check: () => Promise.resolve() }),
    'after close every call rejects, none throws, and no listener is called': () => ({ enter: () => Promise.resolve() })
  }
  for (const [title, fault] of Object.entries(faults)) {
    const open = () => new MemoryRoster({ grace: 1, coalesce: 20 })
    t.equal(await failure(title, (test) => rosterContract(test, { open })), undefined, `${title}: passes`)
    const openBroken = () => {
      const roster = open()
      return changed<Roster>(roster, fault(roster))
    }
    t.match(await failure(title, (test) => rosterContract(test, { open: openBroken })), { code: 'ERR_ASSERTION' }, `${title}: fails`)
  }
})
