import type { RedisLink } from '../client/client.ts'
import type { Member } from '../../../store.ts'
import { channel, nodeKeys } from './keys.ts'
import type { Lease } from './lease.ts'
import { LIFE, sweep, tell } from './scripts.ts'
import type { Turnstile } from './semaphore.ts'

/** Members that one command tells of, or takes out: a longer one would keep everyone waiting. */
const BATCH = 500

export interface PartContext {
  readonly link: RedisLink
  readonly lease: Lease
  readonly turnstile: Turnstile
  /** ms before a leave shows */
  readonly grace: number
}

interface Present { identity: Member, connections: number, leaving: NodeJS.Timeout | undefined }

/** The members of one room that are on this node. Redis is told of their changes, each time again until it knows. */
export class Part {
  readonly #room: string
  readonly #context: PartContext
  readonly #connections = new Map<string, string>()
  readonly #members = new Map<string, Present>()
  /** Members of whom Redis doesn't know whether they are here. */
  #untold = new Set<string>()
  #told = 0
  /** Nodes that watch the room were perhaps not told of the last change. */
  #unpublished = false
  #toldAt = 0
  #telling: Promise<void> | undefined
  #tellingNext: Promise<void> | undefined

  constructor (room: string, context: PartContext) {
    this.#room = room
    this.#context = context
  }

  get size (): number { return this.#members.size }

  /** Nobody is here, and Redis knows. */
  get isOver (): boolean { return this.#members.size === 0 && this.isTold }

  /** Redis knows all. */
  get isTold (): boolean { return this.#untold.size === 0 && this.#telling === undefined }

  /** The number of what Redis was told last, by which it shows whether it still knows. */
  get told (): number { return this.#told }

  get members (): Member[] { return Array.from(this.#members.values(), ({ identity }) => identity) }

  enter (connection: string, identity: Member): void {
    if (this.#connections.has(connection)) return
    this.#connections.set(connection, identity.id)
    const present = this.#members.get(identity.id)
    if (present === undefined) {
      this.#members.set(identity.id, { identity, connections: 1, leaving: undefined })
      this.#untold.add(identity.id)
      return
    }
    clearTimeout(present.leaving)
    present.leaving = undefined
    present.connections++
    if (present.identity.name === identity.name) return
    present.identity = identity
    this.#untold.add(identity.id)
  }

  /** @param left called when it shows, if it does: Redis is to be told */
  leave (connection: string, left: () => void): void {
    const id = this.#connections.get(connection)
    if (id === undefined) return
    this.#connections.delete(connection)
    const present = this.#members.get(id)!
    if (--present.connections > 0) return
    present.leaving = setTimeout(() => {
      this.#members.delete(id)
      this.#untold.add(id)
      left()
    }, this.#context.grace).unref()
  }

  /** Resolves when Redis was told of all that changed before, or could not be. */
  tell (): Promise<void> {
    if (this.#telling !== undefined) {
      this.#tellingNext ??= this.#telling.then(() => {
        this.#tellingNext = undefined
        return this.tell()
      })
      return this.#tellingNext
    }
    // Also when nothing changed for long, for else its keys would end.
    if (this.#untold.size === 0 && !this.#unpublished && (this.size === 0 || Date.now() - this.#toldAt < LIFE / 3)) return Promise.resolve()
    this.#telling = this.#tell().finally(() => { this.#telling = undefined })
    return this.#telling
  }

  /** Redis knows nothing of this node any more. */
  forgotten (): void {
    this.#untold = new Set(this.#members.keys())
  }

  close (): void {
    for (const { leaving } of this.#members.values()) clearTimeout(leaving)
  }

  async #tell (): Promise<void> {
    const ids = [...this.#untold]
    this.#untold.clear()
    do {
      const batch = ids.splice(0, BATCH)
      try {
        await this.#context.turnstile.pass(() => this.#tellOf(batch))
      } catch {
        this.#unpublished = true
        for (const id of [...ids, ...batch]) this.#untold.add(id)
        return
      }
    } while (ids.length > 0)
  }

  async #tellOf (ids: readonly string[]): Promise<void> {
    const { link, lease } = this.#context
    const here = ids.filter((id) => this.#members.has(id))
    const gone = ids.filter((id) => !this.#members.has(id))
    const number = lease.next()
    const published = await link.run(tell, nodeKeys(link, this.#room, lease.node), [
      lease.node, number, LIFE, link.publishCommand, channel(link, this.#room), this.#unpublished ? 1 : 0, here.length,
      ...here.flatMap((id) => [id, this.#members.get(id)!.identity.name]), ...gone])
    this.#unpublished = published !== 1
    this.#told = number
    this.#toldAt = Date.now()
  }
}

/** Takes out of a room all that a node has told of it, for good. */
export async function sweepOut (link: RedisLink, room: string, node: string): Promise<void> {
  const keys = nodeKeys(link, room, node)
  while (await link.run(sweep, keys, [node, BATCH, link.publishCommand, channel(link, room)]) !== 0);
}
