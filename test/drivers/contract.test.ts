import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { rosterContract } from '../../src/contract/roster.ts'
import type { Test } from '../../src/contract/runner.ts'
import { storeContract } from '../../src/contract/store.ts'
import type { StoreBounds } from '../../src/contract/store/bounds.ts'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import type { Roster } from '../../src/roster.ts'
import { append, edit, end } from '../../src/contract/store/entries.ts'
import type { ReadPosition, Store } from '../../src/store.ts'
import { typescriptArguments } from '../support/typescript-arguments.ts'

t.test('the suites run under node:test', async (t) => {
  // A process that node:test started reports to its parent instead of writing TAP.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const { stdout } = await promisify(execFile)(process.execPath,
    [...typescriptArguments, '--test', '--test-reporter=tap', 'test/support/fixtures/node-test-contract.ts'], { env })
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

/** A fault: a read position of the time of the kept one is ignored. */
const ignoresEqualTimes = (store: Store): Partial<Store> => ({
  markRead: async (member, positions) => {
    const kept = new Map((await store.readPositions(member)).map(({ room, at }) => [room, at]))
    await store.markRead(member, positions.filter(({ room, at }) => kept.get(room) !== at))
  }
})

/** A fault: the last mark is kept as it was given, even if it is older. */
const lastMarkWins = (): Partial<Store> => {
  let last: readonly ReadPosition[] = []
  return {
    markRead: async (_, positions) => { last = positions },
    readPositions: () => Promise.resolve(last)
  }
}

/** A fault: unread entries are counted by offsets alone. */
const countsOffsets = (store: Store): Partial<Store> => ({
  read: async (room, query) => {
    const page = await store.read(room, query)
    return query.readPosition === undefined ? page : { ...page, unread: page.head.offset - Number(query.readPosition.split('-').at(-1)) }
  }
})

/** A fault: unread entries are counted before the page is read. */
const countsFirst = (store: Store): Partial<Store> => ({
  read: async (room, query) => {
    const { unread } = await store.read(room, query)
    return { ...await store.read(room, query), unread }
  }
})

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
    'an edit replaces body and data, and changes nothing else': (store) => ({
      amend: (room, position, { change, ...rest }) =>
        store.amend(room, position, { ...rest, change: 'edit' in change ? { edit: { body: change.edit.body } } : change })
    }),
    'a deletion removes content and reactions, and keeps everything else': (store) => ({
      amend: (room, position, amendment) => 'delete' in amendment.change ? store.amend(room, position, edit('')) : store.amend(room, position, amendment)
    }),
    'reactions are counted, in the order of their first use, with mine for one member': (store) => ({
      read: (room, { for: _, ...query }) => store.read(room, query)
    }),
    'changes are numbered 1, 2, 3 … in call order, separately in each room': (store) => ({
      amend: async (...args) => {
        const { revision, ...rest } = await store.amend(...args)
        return { ...rest, revision: revision.replace('c', '') }
      }
    }),
    'a change without an effect resolves with again and leaves no change': (store) => ({
      amend: async (room, ...args) => ({ ...await store.amend(room, ...args), ...(await store.read(room, { limit: 0, maxBytes: 0 })).head.change })
    }),
    'a change is rejected with the first error that applies, and leaves nothing behind': (store) => ({
      amend: (room, position, { own: _, ...amendment }) => store.amend(room, position, amendment)
    }),
    'get resolves with the kept entry at a position': (store) => ({
      get: async (room, position) => (await store.read(room, { limit: 1, maxBytes: 0, after: position })).entries[0]
    }),
    'rooms returns the kept rooms': (store) => ({
      async * rooms () {
        for await (const [, ...rest] of store.rooms()) yield rest
      }
    }),
    'a follower receives each change after its head once, in order, after its entry': (store) => ({
      follow: (room, deliver) => store.follow(room, (page) => {
        deliver({ ...page, entries: [] })
        deliver({ ...page, changes: [] })
      })
    }),
    'a follower that joins under a load of posts and changes reaches the state that is read': (store) => ({
      follow: (room, deliver) => {
        let pages = 0
        return store.follow(room, (page) => deliver(pages++ === 3 ? { ...page, changes: page.changes.slice(1) } : page))
      }
    }),
    'a page is never older than a change that was acknowledged or delivered': (store) => ({
      read: async (room, query) => {
        const { head: { change, ...cursor }, ...page } = await store.read(room, query)
        return { ...page, head: { ...cursor, change: { ...change, number: change.number - 1 } } }
      }
    }),
    'from every position and revision of a run, pages lead to the state that is read': (store) => ({
      read: async (room, query) => {
        const page = await store.read(room, query)
        return { ...page, changed: page.changed.toReversed(), revision: page.moreChanged ? page.changed[0]!.revision! : page.revision }
      }
    }),
    'changed entries are returned in the order of their last change, within the bounds': (store) => ({
      read: (room, { revision, ...query }) => store.read(room, revision === undefined ? query : { ...query, maxBytes: Infinity, after: query.after!, before: undefined, revision })
    }),
    'the revision of a room without changes can be resumed from': (store) => ({
      read: async (room, query) => ({ ...await store.read(room, query), changed: [] })
    }),
    'a revision that is not remembered gives complete: false and the newest entries': (store) => ({
      read: async (room, query) => ({ ...await store.read(room, query), complete: true })
    }),
    'if an entry that changed was removed, the page is complete and has the oldest kept position': (store) => ({
      read: async (room, query) => {
        const { oldest: _, ...page } = await store.read(room, query)
        return page
      }
    }),
    'a known key returns the cursor of its edit': () => ({ findChange: () => Promise.resolve(undefined) }),
    'a repeat of an edit without an effect does not undo a later edit': (store) => ({
      amend: async (room, position, amendment) => {
        const { body } = await store.get(room, position) ?? {}
        const { key: _, ...unkeyed } = amendment
        return store.amend(room, position, 'edit' in amendment.change && amendment.change.edit.body === body ? unkeyed : amendment)
      }
    }),
    'an edit whose key may have been forgotten is STALE; any other is made': (store) => ({
      amend: (room, position, { since: _, ...amendment }) => store.amend(room, position, amendment)
    }),
    'a streamed text grows by its appends until its end': (store) => ({
      append: (room, { streaming: _, ...draft }) => store.append(room, draft)
    }),
    'a stream that ends before its text is complete is unfinished, also after changes': (store) => ({
      amend: (room, position, amendment) => store.amend(room, position, 'end' in amendment.change ? end : amendment)
    }),
    'an append that the text has already, or of no text, resolves with again': (store) => ({
      amend: (...args) => store.amend(...args).then((amended) => ({ ...amended, again: false }))
    }),
    'an append anywhere but at the end of the text is INVALID_CHANGE': (store) => ({
      amend: async (room, position, amendment) => {
        const { body } = (await store.get(room, position))!
        return store.amend(room, position, 'append' in amendment.change ? append(amendment.change.append, [...body as string].length) : amendment)
      }
    }),
    'a streaming entry can be reacted to and deleted, but not edited before its end': (store) => ({
      amend: async (room, position, amendment) => {
        if ('edit' in amendment.change) await store.amend(room, position, end)
        return store.amend(room, position, amendment)
      }
    }),
    'a change of a streaming entry is rejected with the first error that applies': (store) => ({
      amend: (room, position, { own: _, ...amendment }) => store.amend(room, position, amendment)
    }),
    'an end of an entry that is not streaming resolves with again': (store) => ({
      amend: async (room, position, amendment) => {
        const { streaming } = (await store.get(room, position))!
        return 'end' in amendment.change && streaming === undefined ? store.amend(room, position, edit('ended')) : store.amend(room, position, amendment)
      }
    }),
    'an idle end has an effect on a stream that was not renewed for so long': (store) => ({
      amend: (room, position, { idle: _, ...amendment }) => store.amend(room, position, amendment)
    }),
    'a follower receives the beginning of a stream, each append, and its end with the whole entry': (store) => ({
      follow: (room, deliver) => store.follow(room, (page) => deliver({ ...page, entries: page.entries.map(({ streaming: _, ...entry }) => entry) }))
    }),
    'a follower that joins within a streamed text receives the rest without a gap or an overlap': (store) => ({
      follow: (room, deliver) => {
        let pages = 0
        return store.follow(room, (page) => deliver(pages++ === 1 ? { ...page, changes: page.changes.slice(1) } : page))
      }
    }),
    'a control has a number among the changes of its room, and changes no entry': (store) => ({
      control: async (room, control) => ({ ...await store.control(room, control), number: 1 })
    }),
    'a resume from before, from or after a control is complete, and has no control': (store) => ({
      control: async (room, control) => {
        await store.control(room, control)
        return (await store.read(room, { limit: 0, maxBytes: 0 })).head.change
      },
      read: async (room, query) => {
        const page = await store.read(room, query)
        return { ...page, complete: page.complete && page.changed.length !== 1 }
      }
    }),
    'a control creates a room that is not kept': () => ({ async * rooms () { /* none */ } }),
    'controls are bounded as changes are, the newest is always remembered, and no entry is removed': (store) => ({
      control: async (room, control) => {
        await store.control(room, control)
        return store.control(room, control)
      }
    }),
    'an edit that was first sent at the revision of a control is made once': (store) => ({
      amend: (room, position, { key: _, ...amendment }) => store.amend(room, position, amendment)
    }),
    'clearing a room forgets its controls': () => ({ clear: () => Promise.resolve() }),
    'a follower receives each control after its head once, before all that was stored after it': (store) => ({
      follow: (room, deliver) => store.follow(room, ({ controls = [], ...page }) => {
        deliver(page)
        if (controls.length > 0) deliver({ ...page, entries: [], changes: [], controls })
      })
    }),
    'a control alone is delivered, with the head that it leads to': (store) => ({
      follow: (room, deliver) => store.follow(room, (page) => deliver({ ...page, head: { ...page.head, change: { number: 0, revision: '' } } }))
    }),
    'a follower that joins in the tick of a control has it in its head or its feed, not in both': (store) => ({
      follow: async (room, deliver) => {
        const { head, ...feed } = await store.follow(room, deliver)
        return { ...feed, head: { ...head, change: { ...head.change, number: head.change.number - 1 } } }
      }
    }),
    'under a load, no follower receives what was stored after a control before the control': (store) => ({
      follow: (room, deliver) => store.follow(room, ({ controls, ...page }) => {
        deliver({ ...page, entries: page.entries.slice(-1), changes: [] })
        deliver({ ...page, entries: page.entries.slice(0, -1), ...controls !== undefined && { controls } })
      })
    }),
    'more controls than are remembered reach a follower, or a break does': (store) => ({
      follow: (room, deliver) => store.follow(room, ({ controls, ...page }) => {
        deliver({ ...page, ...controls !== undefined && { controls: controls.slice(-10) } })
      })
    }),
    'a page is never older than a control that was acknowledged or delivered': (store) => ({
      read: async (room, query) => {
        const { head: { change, ...cursor }, ...page } = await store.read(room, query)
        return { ...page, head: { ...cursor, change: { ...change, number: change.number - 1 } } }
      }
    }),
    'a follower of a cleared room receives the controls before the break, the break, and those after it': (store) => ({
      follow: (room, deliver) => store.follow(room, ({ controls, ...page }) => deliver({ ...page, ...page.complete && controls !== undefined && { controls } }))
    }),
    'a follower whose connection breaks receives each control, or a break, before what came after it': (store) => ({
      follow: (room, deliver) => {
        let pages = 0
        return store.follow(room, ({ controls, ...page }) => deliver({ ...page, ...controls !== undefined && pages++ !== 3 && { controls } }))
      }
    }),
    'read positions are kept by member and room, in the order of the room names': (store) => ({
      readPositions: async (...args) => (await store.readPositions(...args)).toReversed()
    }),
    'a member without read positions has an empty list, and forgetting has no effect': (store) => ({
      forgetRead: async (member, room) => { for (const { room: each } of await store.readPositions(member)) await store.forgetRead(member, room && each) }
    }),
    'member ids may have any characters': (store) => ({
      markRead: (member, positions) => store.markRead(member.normalize(), positions),
      readPositions: (member, room) => store.readPositions(member.normalize(), room)
    }),
    'a read position never moves back': (store) => ({
      markRead: async (member, positions) => {
        for (const { room } of positions) await store.forgetRead(member, room)
        await store.markRead(member, positions)
      }
    }),
    'of marks with the same time, the one with the higher offset is kept': ignoresEqualTimes,
    'the newest of simultaneous marks is kept': lastMarkWins,
    'a mark in a new epoch replaces that of an earlier one, and is not replaced by it': lastMarkWins,
    'a mark of the same time in another epoch replaces the kept one': ignoresEqualTimes,
    'a forgotten read position is removed, and any position can be set again': () => ({ forgetRead: () => Promise.resolve() }),
    'read positions create no room': (store) => ({ read: (room, { use: _, ...query }) => store.read(room, query) }),
    'a store keeps no reference to the positions that it is given': lastMarkWins,
    'beyond 1000 rooms, the read positions with the lowest times are removed': (store) => ({
      readPositions: async (...args) => (await store.readPositions(...args)).slice(0, 999)
    }),
    'unread is the number of the kept entries after a read position': (store) => ({
      read: async (room, query) => {
        const page = await store.read(room, query)
        return page.unread === undefined ? page : { ...page, unread: page.entries.length }
      }
    }),
    'an entry stays unread after changes; changes and controls are not counted': (store) => ({
      read: async (room, query) => {
        const { entries } = await store.read(room, { limit: 100, maxBytes: 1_000_000 })
        const page = await store.read(room, query)
        return { ...page, unread: page.unread! - (entries.at(-1)!.deleted === true || entries.at(-2)?.deleted === true ? 1 : 0) }
      }
    }),
    'if a read position is not honoured, all kept entries are unread': (store) => ({
      read: async (room, query) => {
        const isKept = query.readPosition !== undefined && await store.get(room, query.readPosition) !== undefined
        return { ...await store.read(room, query), ...!isKept && { unread: 0 } }
      }
    }),
    'trimmed entries are not unread': countsOffsets,
    'in a cleared room, the entries of the new epoch are unread': countsOffsets,
    'a page and its number of unread entries are of one moment': countsFirst,
    'after each of 1,000 posts, changes, clears and marks of two devices, the counts are right': countsOffsets,
    'after each of 1,000 calls in rooms that are trimmed, the counts are right': countsOffsets,
    'while two devices mark, others post and the room is cleared, no count is wrong and no mark moves back': countsFirst,
    'after close every call rejects CLOSED, and none throws': () => ({ check: () => Promise.resolve() })
  }
  for (const [title, fault] of Object.entries(faults)) {
    const open = (_: string, bounds: StoreBounds) => new MemoryStore(bounds)
    const disconnect = () => Promise.resolve()
    t.equal(await failure(title, (test) => storeContract(test, { open, disconnect })), undefined, `${title}: passes`)
    const openBroken = (name: string, bounds: StoreBounds) => {
      const store = open(name, bounds)
      return changed<Store>(store, fault(store))
    }
    t.match(await failure(title, (test) => storeContract(test, { open: openBroken, disconnect })), { code: 'ERR_ASSERTION' }, `${title}: fails`)
  }
})

t.test('a roster that breaks a promise fails its subtest', async (t) => {
  const faults: Record<string, (roster: Roster) => Partial<Roster>> = {
    'a watcher receives the whole state at once and after each change': (roster) => ({
      watch: (room, onPresence) => roster.watch(room, (presence) => onPresence({ ...presence, stale: true }))
    }),
    'a signal reaches the listeners of its room': (roster) => ({ signal: (room) => roster.signal(room, { typing: { id: 'x', name: 'x' }, on: true }) }),
    'signals of each kind arrive as they were sent': (roster) => ({
      signal: (room, signal) => roster.signal(room, 'on' in signal ? { ...signal, on: true } : signal)
    }),
    'each member keeps its own data, whatever its name': (roster) => ({ enter: (room, connection, { id, name }) => roster.enter(room, connection, { id, name }) }),
    'send passes data to each attendance of the member, and to no other member': (roster) => ({ send: (id, data) => roster.send(id, `${data} `) }),
    'members are isolated, whatever their ids': (roster) => ({ send: (id, data) => roster.send(id.slice(0, 1), data) }),
    'send resolves with false once no attendance of the member is left': (roster) => ({
      send: async (id, data) => {
        await roster.send(id, data)
        return true
      }
    }),
    'wrong arguments of send and attend reject and have no effect': () => ({ attend: () => Promise.resolve(() => {}) }),
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
