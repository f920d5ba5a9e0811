import t from 'tap'
import { MemoryRoster } from '../../src/drivers/memory/roster.ts'
import { MemoryStore } from '../../src/drivers/memory/store.ts'
import { StoreUnavailable } from '../../src/errors.ts'
import type { Roster } from '../../src/roster.ts'
import type { Store } from '../../src/store.ts'
import { backendOf } from '../support/backend.ts'
import { chat } from '../support/chat-app.ts'
import { gate } from '../support/gate.ts'
import { tick } from '../support/tick.ts'

/** The calls that a join makes. */
const calls = ['follow', 'read', 'watch', 'listen', 'enter'] as const
type Call = typeof calls[number]

/**
 * A backend in memory that records what is in use.
 * @param before called before each call of a join; the call rejects as it does
 */
function recorded (before: (call: Call) => Promise<void>) {
  const [store, roster] = [new MemoryStore(), new MemoryRoster()]
  const subscriptions = new Set<object>()
  const connections = new Set<string>()
  const counted = (stop: () => void) => {
    const subscription = {}
    subscriptions.add(subscription)
    return () => { subscriptions.delete(subscription); stop() }
  }
  const wrap = <T extends object>(target: T, replaced: Partial<T>): T => new Proxy(target, {
    get: (_, name) => {
      const value = Reflect.get(replaced, name) ?? Reflect.get(target, name) as unknown
      return typeof value === 'function' ? value.bind(target) as unknown : value
    }
  })
  const recordedStore = wrap<Store>(store, {
    async follow (room, deliver) {
      await before('follow')
      const feed = await store.follow(room, deliver)
      return { head: feed.head, stop: counted(() => feed.stop()) }
    },
    async read (room, query) {
      await before('read')
      return await store.read(room, query)
    }
  })
  const recordedRoster = wrap<Roster>(roster, {
    async watch (room, onPresence) {
      await before('watch')
      return counted(await roster.watch(room, onPresence))
    },
    async listen (room, onSignal) {
      await before('listen')
      return counted(await roster.listen(room, onSignal))
    },
    async enter (room, connection, member) {
      await before('enter')
      await roster.enter(room, connection, member)
      connections.add(connection)
    },
    async leave (room, connection) {
      await roster.leave(room, connection)
      connections.delete(connection)
    }
  })
  return { backend: backendOf({ store: recordedStore, roster: recordedRoster }), subscriptions, connections }
}

async function ticks (count: number): Promise<void> {
  while (count-- > 0) await tick()
}

for (const failing of calls) {
  for (const order of ['before', 'after'] as const) {
    t.test(`a join whose ${failing} fails ${order} its other calls leaves nothing behind`, async (t) => {
      let fails = true
      const { backend, subscriptions, connections } = recorded(async (call) => {
        if ((call === failing) === (order === 'after')) await ticks(5)
        if (fails && call === failing) throw new StoreUnavailable()
      })
      const { app, member } = await chat(t, { backend })
      const client = await member()
      t.match(await client.refused({ type: 'join', room: 'lobby' }), { code: 'unavailable', request: 'join' })
      while (connections.size > 0) await tick()
      t.strictSame(app.chat.rooms(), [])
      // A room that was opened stays open for a while.
      if (failing !== 'read' && failing !== 'enter') {
        while (subscriptions.size > 0) await tick()
      }
      fails = false
      await client.join('lobby')
      t.equal(connections.size, 1)
      t.equal(subscriptions.size, 3)
      await client.posted('lobby', 'received')
    })
  }
}

for (const pending of calls) {
  t.test(`a member whose connection ends during ${pending} is not in the room`, async (t) => {
    const { pass, open, reached } = gate()
    const { backend, connections } = recorded(async (call) => { if (call === pending) await pass() })
    const { app, member } = await chat(t, { backend })
    const client = await member()
    client.say({ type: 'join', room: 'lobby' })
    await reached
    client.socket.terminate()
    while (app.chat.stats().connections > 0) await tick()
    open()
    while (app.chat.rooms().length > 0) await tick()
    t.equal(connections.size, 0)
  })
}
