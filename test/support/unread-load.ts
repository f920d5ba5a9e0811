import { finished } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { ChatError, type ChatClient } from '../../src/client/node.ts'
import { UnreadDevice } from './unread-device.ts'
import type { UnreadNodes } from './unread-nodes.ts'
import { open } from './websocket-client.ts'

const pick = fc.nat({ max: 1_000 })

/** What is done in a room. who: selects the device. */
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ what: fc.constant('post' as const), who: pick, room: pick }) },
  { weight: 8, arbitrary: fc.record({ what: fc.constant('mark' as const), who: pick, room: pick, at: pick }) },
  { weight: 6, arbitrary: fc.record({ what: fc.constant('publish' as const), room: pick }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('cut' as const), who: pick, node: pick }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('trim' as const), room: pick }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('plain' as const), who: pick, room: pick, node: pick }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('delete' as const), room: pick, at: pick }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('clear' as const), room: pick }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('remove' as const), who: pick, room: pick }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('forget' as const), who: pick, room: pick, cut: fc.boolean(), node: pick }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('restart' as const), node: pick }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('publishAs' as const), who: pick, room: pick, node: pick }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('streamAs' as const), who: pick, room: pick, node: pick }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('edit' as const), room: pick, at: pick }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('history' as const), who: pick, room: pick, at: pick }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('leave' as const), who: pick, room: pick }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('fail' as const), calls: fc.nat({ max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('settle' as const) }) }
)

export const unreadSteps = fc.array(step, { minLength: 5, maxLength: 25 })
export type UnreadStep = typeof step extends fc.Arbitrary<infer Step> ? Step : never

/** Maximum number of kept entries of a room. */
export const KEPT = 12

/** Runs steps in new rooms of the nodes. Rejects if a count is wrong. */
export async function runUnread (nodes: UnreadNodes, steps: readonly UnreadStep[]): Promise<void> {
  const load = await UnreadLoad.start(nodes, ++nodes.tally.runs)
  try {
    for (const step of steps) await load.run(step)
    await load.settle()
  } finally {
    load.close()
  }
}

/** What a member has read of a room. */
class Reader {
  /** Positions that its devices have marked. */
  readonly marked = new Set<string>()
  /** Position of the newest entry when its read position was removed. */
  removedAt: string | undefined
  /** Whether it must have a read position. */
  hasPosition = false
}

/** Two members with two devices each in two rooms, and what they have read. */
class UnreadLoad {
  readonly #nodes: UnreadNodes
  readonly #rooms: readonly string[]
  readonly #devices: readonly UnreadDevice[]
  readonly #readers = new Map<string, Reader>()
  #pending: Array<Promise<unknown>> = []
  /** Publications for members. One that is under way when its node stops moves no read position. */
  #published: Array<Promise<unknown>> = []

  static async start (nodes: UnreadNodes, number: number): Promise<UnreadLoad> {
    const load = new UnreadLoad(nodes, number)
    await Promise.all(load.#devices.flatMap((device) => load.#rooms.map((room) => device.join(room))))
    return load
  }

  private constructor (nodes: UnreadNodes, number: number) {
    this.#nodes = nodes
    this.#rooms = [`one-${number}`, `two-${number}`]
    this.#devices = [0, 1, 2, 3].map((i) => new UnreadDevice(`${i % 2 === 0 ? 'ada' : 'bob'}-${number}`, i >> 1, nodes))
  }

  async run (step: UnreadStep): Promise<void> {
    this.#nodes.tally.operations++
    const room = 'room' in step ? this.#rooms[step.room % this.#rooms.length]! : ''
    const { app } = this.#nodes.of(0)
    const device = this.#devices['who' in step ? step.who % this.#devices.length : 0]!
    switch (step.what) {
      case 'post': return this.#later((await device.join(room)).room.post('mine'))
      case 'mark': return await this.#mark(device, room, step.at)
      case 'publish': return this.#later(app.chat.publish(room, { text: 'of the app' }))
      case 'cut': return device.cut(step.node)
      case 'trim': {
        for (let i = 0; i < KEPT; i++) this.#later(app.chat.publish(room, { text: 'many' }))
        return
      }
      case 'plain': return await this.#plain(device.id, room, step.node)
      case 'delete': {
        const { entries } = await app.chat.history(room)
        if (entries.length > 0) this.#later(app.chat.delete(room, entries[step.at % entries.length]!.position))
        return
      }
      case 'publishAs': return this.#publish(this.#nodes.of(step.node).app.chat.publish(room, { text: 'for a member', from: { id: device.id, name: '' } }))
      case 'streamAs': {
        const stream = this.#nodes.of(step.node).app.chat.createWriteStream(room, { from: { id: device.id, name: '' } })
        stream.end('streamed')
        return this.#publish(finished(stream))
      }
      case 'edit': {
        const { entries } = await app.chat.history(room)
        if (entries.length > 0) this.#later(app.chat.edit(room, entries[step.at % entries.length]!.position, { text: 'edited' }))
        return
      }
      case 'history': {
        const { room: own, received } = await device.join(room)
        if (received.length > 0) this.#later(own.history(received[step.at % received.length]!, 3))
        return
      }
      case 'leave': {
        const joined = device.rooms.get(room)
        joined?.room.leave()
        device.rooms.delete(room)
        return
      }
      case 'fail':
        this.#nodes.failures = step.calls
        return
      case 'clear': return await app.chat.clear(room)
      case 'remove': return await this.#remove(device.id, room)
      case 'forget': return await this.#forget(device, room, step.cut ? step.node : undefined)
      case 'restart':
        await Promise.allSettled(this.#published)
        return await this.#nodes.restart(step.node)
      case 'settle': return await this.settle()
    }
  }

  /** Compares all counts with the entries that the store has. Rejects if one is wrong. */
  async settle (): Promise<void> {
    this.#nodes.failures = 0
    await Promise.all(this.#pending)
    this.#pending = []
    // Sends the marks that wait, and receives an answer to them.
    for (const { client } of this.#devices) await roomsOf(client)
    for (const id of new Set(this.#devices.map((device) => device.id))) {
      for (const { app } of this.#nodes.all) await app.chat.unread(id)
      for (const room of this.#rooms) await this.#compare(id, room)
    }
  }

  close (): void { for (const { client } of this.#devices) client.close() }

  async #compare (id: string, room: string): Promise<void> {
    const reader = this.#reader(id, room)
    const { entries } = await this.#nodes.of(0).app.chat.history(room, { limit: 100 })
    // Its posts before a removal moved the read position that was removed.
    const removed = entries.findLast(({ position }) => position === reader.removedAt)?.offset ?? 0
    const read = entries.filter(({ offset, position, from }) => (from?.id === id && offset > removed) || reader.marked.has(position))
    if (read.length > 0) reader.hasPosition = true
    const offset = read.at(-1)?.offset ?? 0
    const unread = entries.filter((entry) => entry.offset > offset).length
    const isNow = (given: number | undefined) => {
      this.#nodes.tally.compared++
      return given === unread || (given === undefined && !reader.hasPosition)
    }
    for (const [i, node] of this.#nodes.all.entries()) {
      const listed = (await node.app.chat.unread(id)).find((each) => each.room === room)
      if (!isNow(listed?.unread)) throw new Error(`app.chat.unread of ${id} in ${room}, node ${i}: ${listed?.unread}, not ${unread}`)
      const raw = await node.member({ token: id, changes: true })
      const joined = await raw.join(room, { history: 2 })
      if (!isNow(joined.unread)) throw new Error(`joined of ${id} in ${room}, node ${i}: ${joined.unread}, not ${unread}`)
      await raw.end()
    }
    for (const device of this.#devices) if (device.id === id) await this.#compareDevice(device, room, unread, entries.at(-1)?.offset ?? 0, reader.hasPosition)
  }

  /** Waits until a device has received everything. */
  async #compareDevice (device: UnreadDevice, room: string, unread: number, head: number, hasPosition: boolean): Promise<void> {
    for (let rounds = 0; ; rounds++) {
      const listed = (await roomsOf(device.client)).get(room)
      const own = device.rooms.get(room)?.room
      this.#nodes.tally.compared += 2
      const isListed = listed === unread || (listed === undefined && !hasPosition)
      // A client that stays connected also counts what the room has removed since.
      const mayBeMore = own?.unread !== undefined && own.unread > unread && own.unread <= head && head > KEPT
      const isCounted = own === undefined || own.unread === unread || mayBeMore || (own.unread === undefined && !hasPosition)
      if (isListed && isCounted) return
      if (rounds === 300) throw new Error(`client of ${device.id} in ${room}: rooms ${listed}, room.unread ${own?.unread}, not ${unread}; head ${head}`)
      await turn()
    }
  }

  async #mark (device: UnreadDevice, name: string, at: number): Promise<void> {
    const { room, received } = await device.join(name)
    if (received.length === 0) return
    const position = received[at % received.length]!
    const reader = this.#reader(device.id, name)
    reader.marked.add(position)
    room.markRead(position)
    // A mark that is lost with its connection creates no read position.
    if (!reader.hasPosition) await roomsOf(device.client)
  }

  async #plain (id: string, room: string, node: number): Promise<void> {
    const client = await open(this.#nodes.test, `ws://127.0.0.1:${this.#nodes.of(node).port}/chat?room=${room}&token=${id}`)
    await client.next()
    client.socket.send('plain')
    while (await client.next() !== 'plain') { /* an earlier message */ }
    client.socket.close()
    await client.closed
  }

  /** Resolves when the posts and marks so far are stored. */
  async #written (id: string): Promise<void> {
    this.#nodes.failures = 0
    await Promise.all(this.#pending)
    for (const { client } of this.#devices) await roomsOf(client)
    // A node without connections of the member isn't notified of a removal.
    for (const { app } of this.#nodes.all) await app.chat.unread(id)
    // Receives the read positions that were written. One that arrives after `forget` would apply.
    for (const { client } of this.#devices) await roomsOf(client)
  }

  async #remove (id: string, room: string): Promise<void> {
    await this.#written(id)
    await this.#nodes.of(0).app.chat.removeMember(room, id)
    for (const device of this.#devices) if (device.id === id) await left(device, room)
    await this.#removed(id, room)
  }

  /** The other device of the member may be reconnecting: it must not bring the read position back. */
  async #forget (device: UnreadDevice, room: string, cut: number | undefined): Promise<void> {
    await this.#written(device.id)
    // A message of the member that arrives after `forgotten` moves the read position of the client.
    for (const each of this.#devices) if (each.id === device.id) await this.#receivedAll(each, room)
    if (cut !== undefined) for (const each of this.#devices) if (each.id === device.id && each !== device) each.cut(cut)
    if (!device.client.forget(room)) return
    await roomsOf(device.client)
    // A mark that a device sets before it knows of the removal may be dropped.
    for (const each of this.#devices) if (each.id === device.id && each !== device) await this.#forgotten(each, room)
    await this.#removed(device.id, room)
  }

  /** Resolves when a device knows no read position in a room. */
  async #forgotten ({ client, rooms }: UnreadDevice, name: string): Promise<void> {
    for (let rounds = 0; rooms.get(name)?.room.readPosition !== undefined; rounds++) {
      if (rounds === 300) throw new Error(`${name} was forgotten, but a device still has a read position`)
      await roomsOf(client)
    }
  }

  /** Resolves when a device has received the newest message of a room. */
  async #receivedAll (device: UnreadDevice, room: string): Promise<void> {
    const { entries } = await this.#nodes.of(0).app.chat.history(room, { limit: 1 })
    const hasReceived = () => entries.every(({ position }) => device.rooms.get(room)?.received.includes(position) !== false)
    for (let rounds = 0; !hasReceived() && rounds < 300; rounds++) await roomsOf(device.client)
  }

  async #removed (id: string, room: string): Promise<void> {
    const { entries } = await this.#nodes.of(0).app.chat.history(room)
    const reader = new Reader()
    reader.removedAt = entries.at(-1)?.position
    this.#readers.set(`${id} ${room}`, reader)
  }

  #reader (id: string, room: string): Reader {
    const key = `${id} ${room}`
    const reader = this.#readers.get(key) ?? new Reader()
    this.#readers.set(key, reader)
    return reader
  }

  #publish (call: Promise<unknown>): void {
    this.#published.push(call)
    this.#later(call)
  }

  #later (call: Promise<unknown>): void { this.#pending.push(call.catch(() => { /* a refused post is not stored */ })) }
}

/** Resolves with the unread counts that a client requests. */
async function roomsOf (client: ChatClient): Promise<Map<string, number>> {
  for (;;) {
    const counts = new Map<string, number>()
    try {
      for await (const { room, unread } of client.rooms()) counts.set(room, unread)
      return counts
    } catch (error) {
      if (!(error instanceof ChatError) || error.code !== 'unavailable') throw error
    }
  }
}

/** Resolves when a device is no longer in a room. */
async function left (device: UnreadDevice, name: string): Promise<void> {
  for (let rounds = 0; device.rooms.has(name); rounds++) {
    if (rounds === 300) {
      device.rooms.get(name)!.room.leave()
      device.rooms.delete(name)
    }
    await roomsOf(device.client)
  }
}
