import type { Writable } from 'node:stream'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { ChatClient, type ClientRoom, type ClientSocket, type Timeline } from '../../src/client/node.ts'
import { memory, type FastifyChatOptions } from '../../src/index.ts'
import { chat, type ChatApp } from '../support/chat-app.ts'
import { state } from '../support/chat-client.ts'
import { states, wholeHistory } from '../support/client-view.ts'
import { proxy, type Proxy } from '../support/proxy.ts'
import { tick } from '../support/tick.ts'
import { isStored, positionsOf, TimelineCheck } from '../support/timeline-check.ts'

/** Messages that a room keeps: more than a window, so that both are trimmed. */
const KEPT = 130
const SIZE = 50

type Step =
  | { readonly post: 'own' | 'device' | 'member' | 'app' | 'refused', readonly count: number }
  | { readonly change: 'edit' | 'delete' | 'react' | 'unreact', readonly at: number }
  | { readonly load: 'older' | 'newer', readonly limit: number }
  | { readonly jump: number }
  | { readonly cut: 'receive' | 'send', readonly frames: number }
  | { readonly follow: boolean }
  | 'newest' | 'stream' | 'end' | 'offline' | 'online' | 'clear' | 'restart' | 'retry' | 'discard' | 'drop' | 'settle'

const share = fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ post: fc.constantFrom('own', 'own', 'device', 'member', 'app', 'refused'), count: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 2, arbitrary: fc.record({ post: fc.constantFrom('member', 'app'), count: fc.integer({ min: 20, max: 90 }) }) },
  { weight: 6, arbitrary: fc.record({ change: fc.constantFrom('edit', 'delete', 'react', 'unreact'), at: share }) },
  { weight: 6, arbitrary: fc.record({ load: fc.constantFrom('older', 'newer'), limit: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 2, arbitrary: fc.record({ jump: share }) },
  { weight: 5, arbitrary: fc.record({ cut: fc.constantFrom('receive', 'send'), frames: fc.integer({ min: 0, max: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ follow: fc.boolean() }) },
  { weight: 12, arbitrary: fc.constantFrom('newest', 'stream', 'end', 'offline', 'online', 'online', 'retry', 'discard', 'drop', 'settle', 'settle') },
  { weight: 1, arbitrary: fc.constantFrom('clear', 'restart') }
)

/** Two servers without a common store, of which one is in use. A change of the server is a restart that loses the room. */
interface Servers { readonly apps: readonly ChatApp[], readonly network: Proxy, active: number }

const options: FastifyChatOptions = {
  backend: undefined,
  prePost (draft) {
    if (draft.text === 'refuse') throw new Error('refused')
    return draft
  }
}

async function servers (t: Test): Promise<Servers> {
  const apps = await Promise.all([0, 1].map(() => chat(t, { ...options, backend: memory({ historyEntries: KEPT }) })))
  return { apps, network: await proxy(t, apps[0]!.port), active: 0 }
}

let rooms = 0
let numbers = 0
const totals = { steps: 0, settlings: 0, posts: 0, failed: 0, snapshots: 0, notifications: 0, cuts: 0, breaks: 0, messages: 0 }

/** A room with a timeline, and what others do in it. */
class Run {
  readonly #servers: Servers
  readonly #name = `room-${++rooms}`
  readonly #clients: ChatClient[] = []
  readonly #work = new Set<Promise<unknown>>()
  readonly #streams: Writable[] = []
  /** The order of all messages of the room, by epochs. */
  #order: string[][] = [[]]
  /** Keys of the posts that were rejected and are still shown. */
  readonly #failed = new Set<string>()
  /** Frames until the connection of the timeline's client is cut. */
  #frames: { [direction in 'receive' | 'send']: number } = { receive: Infinity, send: Infinity }
  #client!: ChatClient
  #room!: ClientRoom
  #member!: ClientRoom
  #device!: ClientRoom
  #timeline!: Timeline
  #check!: TimelineCheck
  readonly #received = new Set<string>()

  constructor (servers: Servers) {
    this.#servers = servers
  }

  static async begin (servers: Servers): Promise<Run> {
    const run = new Run(servers)
    run.#client = run.#connect({ connect: (url, protocol) => run.#socket(url, protocol) })
    run.#room = await run.#client.join(run.#name)
    run.#timeline = run.#room.timeline({ size: SIZE })
    run.#check = new TimelineCheck(run.#timeline)
    run.#room.on('joined', ({ messages, complete, again }) => {
      if (again && !complete) totals.breaks++
      for (const { text = '' } of messages) run.#received.add(text)
    })
    run.#room.on('message', ({ text = '' }) => run.#received.add(text))
    const { session } = await state(run.#client, 'online')
    run.#device = await run.#connect({ session }).join(run.#name)
    run.#member = await run.#connect().join(run.#name, { history: 1_000 })
    run.#member.on('joined', ({ messages, complete }) => {
      if (!complete) run.#order.push([])
      for (const { position } of messages) run.#order.at(-1)!.push(position)
    })
    run.#member.on('message', ({ position }) => run.#order.at(-1)!.push(position))
    return run
  }

  get #api () { return this.#servers.apps[this.#servers.active]!.app.chat }

  async run (steps: readonly Step[]): Promise<void> {
    try {
      for (const [i, step] of [...steps, 'settle' as const].entries()) {
        totals.steps++
        if (step === 'settle') await this.#settle()
        else this.#step(step)
        this.#check.check()
        for (let ticks = i % 4; ticks > 0; ticks--) await tick()
        this.#check.check()
        if (this.#check.mismatches.length > 0) throw new Error(this.#check.mismatches.join('\n'))
      }
    } finally {
      this.#streams.forEach((stream) => stream.destroy())
      for (const client of this.#clients) client.close()
      totals.snapshots += this.#check.snapshots
      totals.notifications += this.#check.notifications
      totals.messages += this.#order.flat().length
    }
  }

  #step (step: Exclude<Step, 'settle'>): void {
    const { network } = this.#servers
    if (step === 'newest') this.#do(this.#timeline.jumpToNewest())
    else if (step === 'stream') this.#stream()
    else if (step === 'end') this.#streams.pop()?.end()
    else if (step === 'offline' || step === 'online') {
      network.target = step === 'online' ? this.#servers.apps[this.#servers.active]!.port : undefined
      if (step === 'offline') network.cut()
    } else if (step === 'clear') this.#do(this.#api.clear(this.#name))
    else if (step === 'restart') this.#restart()
    else if (step === 'retry' || step === 'discard') this.#onFailed(step)
    else if (step === 'drop') this.#timeline.dropEarlier()
    else if ('post' in step) for (let i = 0; i < step.count; i++) this.#post(step.post)
    else if ('change' in step) this.#change(step)
    else if ('load' in step) this.#do(step.load === 'older' ? this.#timeline.loadOlder(step.limit) : this.#timeline.loadNewer(step.limit))
    else if ('jump' in step) this.#do(this.#timeline.jumpTo(this.#some(step.jump) ?? 'none-1'))
    else if ('follow' in step) this.#timeline.follow(step.follow)
    else this.#frames[step.cut] = step.frames
  }

  #post (by: 'own' | 'device' | 'member' | 'app' | 'refused'): void {
    const text = by === 'refused' ? 'refuse' : 'ab'[numbers % 2]!
    const data = { n: ++numbers }
    totals.posts++
    if (by === 'app') this.#do(this.#api.publish(this.#name, { text, data }))
    else if (by === 'device' || by === 'member') this.#do((by === 'device' ? this.#device : this.#member).post(text, data))
    else this.#track(this.#room.post(text, data))
  }

  #track (post: ReturnType<ClientRoom['post']>): void {
    this.#do(post.catch(() => {
      totals.failed++
      this.#failed.add(post.id)
    }))
  }

  /** Retries or discards the first failed post. */
  #onFailed (what: 'retry' | 'discard'): void {
    const item = this.#timeline.getSnapshot().items.find(({ state }) => state === 'failed')
    if (item === undefined) return
    this.#failed.delete(item.key)
    const { post } = this.#room
    this.#room.post = (...args) => {
      const posted = post.apply(this.#room, args)
      this.#track(posted)
      return posted
    }
    this.#timeline[what](item.key)
    this.#room.post = post
  }

  #change ({ change, at }: { change: 'edit' | 'delete' | 'react' | 'unreact', at: number }): void {
    const position = this.#some(at)
    if (position === undefined) return
    if (change === 'edit') this.#do(this.#api.edit(this.#name, position, { text: `edited ${++numbers}` }))
    else if (change === 'delete') this.#do(this.#api.delete(this.#name, position))
    else this.#do((at < 0.5 ? this.#room : this.#member)[change](position, '👍'))
  }

  #stream (): void {
    const stream = this.#api.createWriteStream(this.#name)
    stream.on('error', () => {})
    stream.write('begin')
    stream.write(' and more')
    this.#streams.push(stream)
  }

  #restart (): void {
    const { apps, network } = this.#servers
    this.#streams.splice(0).forEach((stream) => stream.destroy())
    this.#servers.active = 1 - this.#servers.active
    network.target = apps[this.#servers.active]!.port
    network.cut()
  }

  /** Waits until nothing is under way, and compares the timeline with the room. */
  async #settle (): Promise<void> {
    totals.settlings++
    this.#frames = { receive: Infinity, send: Infinity }
    this.#servers.network.target = this.#servers.apps[this.#servers.active]!.port
    for (const stream of this.#streams.splice(0)) {
      if (!stream.destroyed) stream.end()
      await tick()
    }
    while (this.#work.size > 0) await Promise.allSettled(this.#work)
    const marker = `marker ${++numbers}`
    const position = await this.#api.publish(this.#name, { text: marker })
    const isOrdered = () => this.#order.at(-1)!.includes(position as unknown as string)
    while (!this.#received.has(marker) || !isOrdered()) await tick()
    await tick()
    await this.#compare()
  }

  async #compare (): Promise<void> {
    const { session } = await state(this.#client, 'online')
    const joining = this.#connect({ session })
    const room = await joining.join(this.#name, { history: 1_000 })
    const truth = await wholeHistory(room, await new Promise((resolve) => { room.on('joined', ({ messages }) => resolve(messages)) }))
    joining.close()
    this.#compareWindow(truth)
    this.#compareLists()
    await this.#compareReachable(truth)
    this.#compareWindow(truth)
  }

  #compareWindow (truth: Parameters<typeof states>[0] & readonly unknown[]): void {
    const all = [...truth as Iterable<{ position: string }>].map(({ position }) => position)
    const { items, hasOlder, hasNewer, loading } = this.#check.check()
    const stored = items.filter(isStored)
    const unstored = items.filter(({ state }) => state !== 'stored')
    const shown = positionsOf(items)
    // The room has removed the messages before the kept ones.
    const kept = shown.filter((position) => all.includes(position))
    const begin = all.indexOf(kept[0]!)
    this.#equal(kept, all.slice(begin, begin + kept.length), 'the window has gaps')
    const byPosition = new Map(states(stored).map((each, i) => [shown[i], each]))
    this.#equal(kept.map((position) => byPosition.get(position)), states(truth as never).slice(begin, begin + kept.length), 'messages differ')
    if (loading !== undefined) throw new Error('a load is under way')
    if (shown.length > 2 * SIZE) throw new Error(`the window has ${shown.length} items`)
    if (hasNewer === (shown.at(-1) === all.at(-1))) throw new Error(`hasNewer is ${hasNewer}`)
    if (!hasOlder && kept.length > 0 && kept[0] !== all[0]) throw new Error('hasOlder is false')
    this.#equal(unstored.map(({ state }) => state), unstored.map(() => 'failed'), 'a post is pending')
    this.#equal(unstored.map(({ key }) => key).sort(), [...this.#failed].sort(), 'failed posts')
    const { member: { id } } = this.#client.status as Extract<ChatClient['status'], { state: 'online' }>
    for (const { own, from } of stored) if (own !== (from?.id === id)) throw new Error(`own is ${own}`)
  }

  /** Compares each list that was shown with the order of the room: only messages of this member may be missing. */
  #compareLists (): void {
    for (const list of this.#check.lists.splice(0)) {
      if (list.length === 0) continue
      // After a second restart, the first server still has its room: its messages are in two orders.
      const orders = this.#order.filter((order) => order.includes(list[0]!)).map((order) => list.map((position) => order.indexOf(position)))
      const isOrdered = (indexes: readonly number[]) => indexes.every((index, i) => index >= 0 && (i === 0 || index > indexes[i - 1]!))
      if (orders.length > 0 && !orders.some(isOrdered)) throw new Error(`wrong order: ${orders.join('; ')}`)
    }
  }

  /** Loads all pages in both directions. */
  async #compareReachable (truth: readonly unknown[]): Promise<void> {
    const reached = new Set<string>()
    const read = () => positionsOf(this.#check.check().items).forEach((position) => reached.add(position))
    const older = async () => {
      for (; this.#timeline.getSnapshot().hasOlder; read()) await this.#timeline.loadOlder(30)
    }
    read()
    await older()
    for (; this.#timeline.getSnapshot().hasNewer; read()) await this.#timeline.loadNewer(30)
    // The timeline begins anew at the newest message if the room has removed all messages of the window.
    await older()
    const missing = [...truth as Iterable<{ position: string }>].filter(({ position }) => !reached.has(position))
    if (missing.length > 0) throw new Error(`${missing.length} messages of ${truth.length} are not reachable`)
  }

  #equal (found: unknown, wanted: unknown, problem: string): void {
    const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)]
    if (a !== b) throw new Error(`${problem}:\n${a}\n${b}`)
  }

  /** Returns the position of a message of the current epoch. */
  #some (share: number): string | undefined {
    const order = this.#order.at(-1)!
    return order[Math.min(order.length - 1, Math.floor(share * order.length))]
  }

  #do (work: Promise<unknown>): void {
    const done = work.catch(() => {}).then(() => { this.#work.delete(done) })
    this.#work.add(done)
  }

  #connect (options: ConstructorParameters<typeof ChatClient>[1] = {}): ChatClient {
    const client = new ChatClient(`ws://127.0.0.1:${this.#servers.network.port}/chat`, { minDelay: 1, maxDelay: 20, ...options })
    this.#clients.push(client)
    return client
  }

  /** Opens a socket that is cut after a number of frames. */
  #socket (url: string, protocol: string): ClientSocket {
    const socket = new WebSocket(url, protocol)
    const passes = (direction: 'receive' | 'send'): boolean => {
      if (--this.#frames[direction] >= 0) return true
      if (this.#frames[direction] === -1) totals.cuts++
      this.#frames[direction] = Infinity
      socket.terminate()
      return false
    }
    return {
      get readyState () { return socket.readyState },
      get protocol () { return socket.protocol },
      send: (data) => { if (passes('send')) socket.send(data) },
      close: (code, reason) => socket.close(code, reason),
      terminate: () => socket.terminate(),
      addEventListener (type: string, listener: (event: never) => void) {
        const guarded = type === 'message' ? (event: never) => { if (socket.readyState === WebSocket.OPEN && passes('receive')) listener(event) } : listener
        socket.addEventListener(type as 'message', guarded as () => void)
      }
    }
  }
}

t.test('a timeline has what the room has, in order and once, whatever happens', async (t) => {
  const shared = await servers(t)
  const numRuns = Number(process.env['TIMELINE_RUNS'] ?? 30)
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
    const run = await Run.begin(shared)
    await run.run(steps)
  }), { numRuns, endOnFailure: true })
  t.comment(JSON.stringify(totals))
  t.pass()
})
