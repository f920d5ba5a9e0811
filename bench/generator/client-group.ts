import { setTimeout as wait } from 'node:timers/promises'
import { constants, inflateRawSync } from 'node:zlib'
import { RSV1 } from '../frames.ts'
import { dialects, type Dialect } from './dialects.ts'
import type { Job, JoinOutcome, Outcome } from './job.ts'
import { Latencies } from './latencies.ts'
import { Member, type MemberGroup } from './member.ts'
import { alternating, Post, type Posts } from './post.ts'
import { posting, type Poster } from './posting.ts'

/** Concurrent handshakes. */
const CONCURRENT_JOINS = 64

/** Time limits in ms: for members to enter, for a probe to arrive, for posts to arrive. */
const JOIN_TIMEOUT = 20_000
const PROBE_TIMEOUT = 3_000
const ARRIVAL_TIMEOUT = 30_000

/** ms after entering, in which the server finishes its work: presence, garbage collection. */
const SETTLE_TIME = 300

/** The trailer that is removed from a compressed message before it is sent. RFC 7692, section 7.2.1. */
const EMPTY_BLOCK = Buffer.from([0x00, 0x00, 0xff, 0xff])

/** All clients of one contender. */
export class ClientGroup implements MemberGroup {
  readonly dialect: Dialect
  readonly compressed: boolean
  readonly size: number
  deliveries = 0
  tail: number | undefined
  readonly members: Member[] = []
  readonly #job: Job
  readonly #latencies = new Latencies()
  #poster: Poster | undefined
  #broken: string | undefined
  /** Time in ms at which the current chunk was read; 0 until it is needed. */
  #now = 0
  #lastRead = 0
  /** Rooms that each member has joined in addition to its first. */
  #joins = 0

  constructor (job: Job) {
    this.#job = job
    this.dialect = dialects[job.dialect]
    this.compressed = job.compressed
    this.size = job.size
    if (!this.dialect.hasText) this.tail = 0
  }

  async enter (count: number): Promise<void> {
    const { ports, path, roomSize, compressed: deflate } = this.#job
    const { protocol, path: pathOf } = this.dialect
    const end = this.members.length + count
    const enterOneByOne = async () => {
      while (this.members.length < end) {
        const writer = this.members.length
        const port = ports[writer % ports.length]!
        const room = `room-${Math.floor(writer / roomSize)}`
        const member = new Member(writer, room, (target) => this.#posts(writer, room, target), this, { port, path: pathOf(path, room), protocol, deflate })
        this.members.push(member)
        await member.entered
      }
    }
    const entered = Promise.all(Array.from({ length: CONCURRENT_JOINS }, enterOneByOne)).then(() => {})
    if (!await this.#until(entered, JOIN_TIMEOUT)) throw new Error(this.#broken ?? `${count} members did not join in time`)
    await this.#settle()
  }

  /** Joins further rooms, of as many members as the first, one after another. @param rooms number of rooms for each member */
  async join (rooms: number): Promise<JoinOutcome> {
    this.#latencies.clear()
    const joinAll = async () => {
      for (const end = this.#joins + rooms; this.#joins < end; this.#joins++) {
        for (const member of this.members) {
          const begun = performance.now()
          await member.join(`${member.room}-${this.#joins}`)
          this.#latencies.add((performance.now() - begun) * 1_000)
        }
      }
    }
    if (!await this.#until(joinAll(), ARRIVAL_TIMEOUT)) throw new Error(this.#broken ?? 'a join was not answered in time')
    return { p50: this.#latencies.percentile(0.5)!, p99: this.#latencies.percentile(0.99)! }
  }

  async run (seconds: number): Promise<Outcome> {
    for (const member of this.members) member.messages = member.acks = member.posts = member.due = 0
    this.deliveries = 0
    this.#latencies.clear()
    const { cpuUsage } = process
    const before = cpuUsage()
    const begun = performance.now()
    const poster = this.#poster = posting(this.#job, this)
    const broken = () => this.#broken !== undefined
    await this.#poll(broken, seconds * 1_000)
    const offered = poster.stop()
    await this.#poll(() => broken() || this.#missing() === undefined, ARRIVAL_TIMEOUT)
    const { user, system } = cpuUsage(before)
    this.#poster = undefined
    return {
      seconds: (this.#lastRead - begun) / 1_000,
      posts: sum(this.members, ({ posts }) => posts),
      deliveries: this.deliveries,
      offered,
      p50: this.#latencies.percentile(0.5),
      p99: this.#latencies.percentile(0.99),
      cpu: user + system,
      invalid: this.#broken ?? this.#missing()
    }
  }

  onProbe (payload: Uint8Array, first: number): void {
    const { text } = this.members[0]!.post
    if (this.compressed && (first & RSV1) === 0) return
    const message = this.compressed
      ? inflateRawSync(Buffer.concat([payload, EMPTY_BLOCK]), { finishFlush: constants.Z_SYNC_FLUSH })
      : Buffer.from(payload)
    const at = message.indexOf(text)
    if (at !== -1) this.tail = message.length - at
  }

  onAnswer (member: Member): void { this.#poster?.onAnswer(member) }

  onMessage (stamp: number | undefined, n: number): void {
    this.#now ||= performance.now()
    const posted = stamp ?? this.#poster?.stampOf(n)
    if (posted !== undefined) this.#latencies.add(this.#now * 1_000 - posted)
  }

  onRead (member: Member): void {
    this.#now = 0
    this.#lastRead = performance.now()
    if (member.due > 0) this.#poster?.write(member)
  }

  onError (reason: string): void { this.#broken ??= reason }

  #posts (writer: number, room: string, target: string): Posts {
    const { size, binary } = this.#job
    const { wrap, undo, acks: numbered } = this.dialect
    const post = (encode: Dialect['wrap']) => new Post({ writer, size, binary, numbered, wrap: (text, id) => encode(text, id, room, target) })
    return undo === undefined ? post(wrap) : alternating(post(wrap), post(undo))
  }

  /** Resolves when every member has received a message of the first member of its room. */
  async #settle (): Promise<void> {
    const posters = this.members.filter((_, i) => i % this.#job.roomSize === 0)
    const receivers = this.#job.echo ? posters : this.members
    for (const end = performance.now() + JOIN_TIMEOUT; ;) {
      const before = receivers.map(({ messages }) => messages)
      for (const poster of posters) poster.write(poster.post.next())
      const all = () => receivers.every(({ messages }, i) => messages > before[i]!)
      await this.#poll(() => this.#broken !== undefined || all(), PROBE_TIMEOUT)
      await wait(SETTLE_TIME)
      if (all() && this.tail !== undefined) return
      if (this.#broken !== undefined || performance.now() > end) throw new Error(this.#broken ?? 'a message did not reach all members')
    }
  }

  /** Returns the error of the first member that did not receive exactly the posted messages. */
  #missing (): string | undefined {
    const inRoom = new Map<string, number>()
    for (const { room, posts } of this.members) inRoom.set(room, (inRoom.get(room) ?? 0) + posts)
    for (const [i, { room, messages, acks, posts }] of this.members.entries()) {
      const due = this.#job.echo ? posts : inRoom.get(room)!
      if (messages !== due) return `member ${i} received ${messages} messages of ${due}`
      if (this.dialect.acks && acks !== posts) return `member ${i} received ${acks} acknowledgements of ${posts}`
    }
    return undefined
  }

  async #until (promise: Promise<void>, timeout: number): Promise<boolean> {
    let done = false
    promise.then(() => { done = true }, (error: Error) => this.onError(error.message))
    await this.#poll(() => done || this.#broken !== undefined, timeout)
    return done
  }

  async #poll (isDone: () => boolean, timeout: number): Promise<void> {
    for (const end = performance.now() + timeout; !isDone() && performance.now() < end;) {
      await wait(Math.min(5, Math.max(1, end - performance.now())))
    }
  }
}

function sum<T> (all: readonly T[], number: (each: T) => number): number {
  return all.reduce((total, each) => total + number(each), 0)
}
