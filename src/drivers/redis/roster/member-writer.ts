import { LocalMembers } from '../../local-members.ts'
import type { RedisClient } from '../client/client.ts'
import type { PresentMember } from '../../../roster.ts'
import { nodeKeys, presenceChannel } from './keys.ts'
import type { Lease } from './lease.ts'
import { removeMembers, writeMembers } from './scripts/members.ts'
import type { Semaphore } from './semaphore.ts'
import { encodeMember } from './stored-member.ts'

/** Maximum members that one command updates or removes. A longer command would block Redis for other clients. */
const BATCH = 500

/** ms from their last renewal until the keys of a room expire */
const ROOM_TTL = 3_600_000

/** Writes the members of one room on this node to Redis. A change that couldn't be written is written by the next `write`. */
export class MemberWriter {
  readonly #room: string
  readonly #client: RedisClient
  readonly #lease: Lease
  readonly #semaphore: Semaphore
  readonly #members: LocalMembers
  /** Ids of members whose last change isn't in Redis yet. */
  #unwritten = new Set<string>()
  #updateNumber = 0
  /** Whether publishing the last change may have failed. */
  #unpublished = false
  #writtenAt = 0
  #writing: Promise<void> | undefined
  #nextWrite: Promise<void> | undefined

  /** @param grace ms before a leave is written */
  constructor (room: string, { client, lease, semaphore, grace }: {
    readonly client: RedisClient
    readonly lease: Lease
    readonly semaphore: Semaphore
    readonly grace: number
  }) {
    this.#room = room
    this.#client = client
    this.#lease = lease
    this.#semaphore = semaphore
    this.#members = new LocalMembers(grace)
  }

  /** Whether the room has no members on this node, and Redis has all changes. */
  get isOver (): boolean { return this.#members.size === 0 && this.isWritten }

  /** Whether Redis has all changes. */
  get isWritten (): boolean { return this.#unwritten.size === 0 && this.#writing === undefined }

  /** Number of the last update. If Redis has another number, it has lost the update. */
  get updateNumber (): number { return this.#updateNumber }

  get members (): PresentMember[] { return [...this.#members] }

  enter (connection: string, member: PresentMember): void {
    // Also if nothing changed on this node: the member may have entered another node meanwhile, with another name or data.
    if (!this.#members.has(connection)) this.#unwritten.add(member.id)
    this.#members.enter(connection, member)
  }

  /** @param onLeft called if the grace period ends and the member hasn't entered again; the caller must then call `write` */
  leave (connection: string, onLeft: () => void): void {
    this.#members.leave(connection, (id) => {
      this.#unwritten.add(id)
      onLeft()
    })
  }

  /** Writes the changes to Redis. Resolves when all changes before the call are written, or the write failed. */
  write (): Promise<void> {
    if (this.#writing !== undefined) {
      this.#nextWrite ??= this.#writing.then(() => {
        this.#nextWrite = undefined
        return this.write()
      })
      return this.#nextWrite
    }
    // Without changes, the keys are still renewed before they expire.
    const isRenewalDue = this.#members.size > 0 && performance.now() - this.#writtenAt >= ROOM_TTL / 3
    if (this.#unwritten.size === 0 && !this.#unpublished && !isRenewalDue) return Promise.resolve()
    this.#writing = this.#writeAll().finally(() => { this.#writing = undefined })
    return this.#writing
  }

  /** Called when Redis has lost all entries of this node. The next `write` writes all members. */
  markUnwritten (): void {
    this.#unwritten = new Set(Array.from(this.#members, ({ id }) => id))
  }

  close (): void { this.#members.close() }

  async #writeAll (): Promise<void> {
    const ids = [...this.#unwritten]
    this.#unwritten.clear()
    do {
      const batch = ids.splice(0, BATCH)
      try {
        await this.#semaphore.run(() => this.#writeBatch(batch))
      } catch {
        this.#unpublished = true
        for (const id of [...ids, ...batch]) this.#unwritten.add(id)
        return
      }
    } while (ids.length > 0)
  }

  async #writeBatch (ids: readonly string[]): Promise<void> {
    const present = ids.flatMap((id) => this.#members.get(id) ?? [])
    const left = ids.filter((id) => this.#members.get(id) === undefined)
    const { node } = this.#lease
    const number = this.#lease.nextUpdate()
    const published = await this.#client.run(writeMembers, nodeKeys(this.#client, this.#room, node), [
      node, number, ROOM_TTL, this.#client.publishCommand, presenceChannel(this.#client, this.#room), this.#unpublished ? 1 : 0, present.length,
      ...present.flatMap((member) => [member.id, encodeMember(member)]), ...left])
    this.#unpublished = published !== 1
    this.#updateNumber = number
    this.#writtenAt = performance.now()
  }
}

/** Removes all members of a node from a room. */
export async function removeNode (client: RedisClient, room: string, node: string): Promise<void> {
  const keys = nodeKeys(client, room, node)
  while (await client.run(removeMembers, keys, [node, BATCH, client.publishCommand, presenceChannel(client, room)]) !== 0);
}
