import type { RedisLink } from '../client/client.ts'
import type { Member } from '../../../store.ts'
import { channel, nodeKeys } from './keys.ts'
import type { Lease } from './lease.ts'
import { LIFE, sweep, tell } from './scripts.ts'
import type { Turnstile } from './semaphore.ts'

/** Members that one command updates or removes. A longer command would block Redis for its other clients. */
const BATCH = 500

export interface PartContext {
  readonly link: RedisLink
  readonly lease: Lease
  readonly turnstile: Turnstile
  /** ms before a leave is published */
  readonly grace: number
}

interface LocalMember { identity: Member, connections: number, leaving: NodeJS.Timeout | undefined }

/** Members of one room that are on this node. Writes their changes to Redis, and retries until each write succeeds. */
export class Part {
  readonly #room: string
  readonly #context: PartContext
  readonly #connections = new Map<string, string>()
  readonly #members = new Map<string, LocalMember>()
  /** Ids of members whose last change isn't in Redis yet. */
  #unwritten = new Set<string>()
  #written = 0
  /** Whether publishing the last change may have failed. */
  #unpublished = false
  #writtenAt = 0
  #writing: Promise<void> | undefined
  #nextWrite: Promise<void> | undefined

  constructor (room: string, context: PartContext) {
    this.#room = room
    this.#context = context
  }

  get size (): number { return this.#members.size }

  /** Whether the room has no members on this node, and Redis has all changes. */
  get isOver (): boolean { return this.#members.size === 0 && this.isTold }

  /** Whether Redis has all changes. */
  get isTold (): boolean { return this.#unwritten.size === 0 && this.#writing === undefined }

  /** Number of the last update. If Redis has another one, it has lost the update. */
  get told (): number { return this.#written }

  get members (): Member[] { return Array.from(this.#members.values(), ({ identity }) => identity) }

  enter (connection: string, identity: Member): void {
    if (this.#connections.has(connection)) return
    this.#connections.set(connection, identity.id)
    const present = this.#members.get(identity.id)
    if (present === undefined) {
      this.#members.set(identity.id, { identity, connections: 1, leaving: undefined })
      this.#unwritten.add(identity.id)
      return
    }
    clearTimeout(present.leaving)
    present.leaving = undefined
    present.connections++
    if (present.identity.name === identity.name) return
    present.identity = identity
    this.#unwritten.add(identity.id)
  }

  /** @param left called if the grace period ends without a rejoin; `tell` then has a change to write */
  leave (connection: string, left: () => void): void {
    const id = this.#connections.get(connection)
    if (id === undefined) return
    this.#connections.delete(connection)
    const present = this.#members.get(id)!
    if (--present.connections > 0) return
    present.leaving = setTimeout(() => {
      this.#members.delete(id)
      this.#unwritten.add(id)
      left()
    }, this.#context.grace).unref()
  }

  /** Writes the changes to Redis. Resolves when all changes before the call are written, or the write failed. */
  tell (): Promise<void> {
    if (this.#writing !== undefined) {
      this.#nextWrite ??= this.#writing.then(() => {
        this.#nextWrite = undefined
        return this.tell()
      })
      return this.#nextWrite
    }
    // Without changes, the keys are still renewed before they expire.
    if (this.#unwritten.size === 0 && !this.#unpublished && (this.size === 0 || Date.now() - this.#writtenAt < LIFE / 3)) return Promise.resolve()
    this.#writing = this.#write().finally(() => { this.#writing = undefined })
    return this.#writing
  }

  /** Called when Redis has lost everything of this node. */
  forgotten (): void {
    this.#unwritten = new Set(this.#members.keys())
  }

  close (): void {
    for (const { leaving } of this.#members.values()) clearTimeout(leaving)
  }

  async #write (): Promise<void> {
    const ids = [...this.#unwritten]
    this.#unwritten.clear()
    do {
      const batch = ids.splice(0, BATCH)
      try {
        await this.#context.turnstile.pass(() => this.#writeBatch(batch))
      } catch {
        this.#unpublished = true
        for (const id of [...ids, ...batch]) this.#unwritten.add(id)
        return
      }
    } while (ids.length > 0)
  }

  async #writeBatch (ids: readonly string[]): Promise<void> {
    const { link, lease } = this.#context
    const here = ids.filter((id) => this.#members.has(id))
    const gone = ids.filter((id) => !this.#members.has(id))
    const number = lease.next()
    const published = await link.run(tell, nodeKeys(link, this.#room, lease.node), [
      lease.node, number, LIFE, link.publishCommand, channel(link, this.#room), this.#unpublished ? 1 : 0, here.length,
      ...here.flatMap((id) => [id, this.#members.get(id)!.identity.name]), ...gone])
    this.#unpublished = published !== 1
    this.#written = number
    this.#writtenAt = Date.now()
  }
}

/** Removes all members of a node from a room. */
export async function sweepOut (link: RedisLink, room: string, node: string): Promise<void> {
  const keys = nodeKeys(link, room, node)
  while (await link.run(sweep, keys, [node, BATCH, link.publishCommand, channel(link, room)]) !== 0);
}
