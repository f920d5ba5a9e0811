import { assertProperties, assertReason } from '../argument-checks.ts'
import { assertMemberId } from './member-id.ts'
import { assertRoom } from './room-name.ts'
import type { ReadPositions } from '../rooms/reads/read-positions.ts'
import type { Store } from '../store.ts'

/** Options of `removeMember`. */
export interface RemovalOptions {
  /** sent to the member, at most 123 bytes of UTF-8; default 'removed by a moderator' */
  readonly reason?: string | undefined
}

/** Selects the memberships for which `reauthorize` calls `authorize` again. */
export interface Reauthorization {
  /** default: all rooms */
  readonly room?: string | undefined
  /** id of a member; default: all members */
  readonly member?: string | undefined
}

/** Number of rooms in which a record is stored at the same time. */
const CONCURRENT = 100

/** Revokes rights of members. Each call checks all its arguments before it changes anything. */
export class MemberRights {
  readonly #store: Pick<Store, 'control' | 'rooms'>
  readonly #readPositions: Pick<ReadPositions, 'forget'> | undefined
  readonly #used: () => readonly string[]

  /** @param readPositions undefined if no hook names the members @param used returns the names of the rooms in use on this node */
  constructor (store: Pick<Store, 'control' | 'rooms'>, readPositions: Pick<ReadPositions, 'forget'> | undefined, used: () => readonly string[]) {
    this.#store = store
    this.#readPositions = readPositions
    this.#used = used
  }

  async remove (room: string, id: string, options: RemovalOptions = {}): Promise<void> {
    assertMemberId('id', id)
    assertProperties('options', options, ['reason'])
    const { reason = '' } = options
    if (reason !== '') assertReason('options.reason', reason)
    await this.#store.control(room, { remove: { member: id, reason: reason === '' ? 'removed by a moderator' : reason } })
    await this.#readPositions?.forget(id, room)
  }

  async reauthorize (whom: Reauthorization): Promise<void> {
    assertProperties('whom', whom, ['room', 'member'])
    const { room, member } = whom
    if (member !== undefined) assertMemberId('whom.member', member)
    if (room === undefined) return await this.#reauthorizeAll(member)
    assertRoom(room)
    await this.#reauthorizeIn([room], member)
  }

  /** Begins with the rooms in use on this node. The others may be in use on other nodes. */
  async #reauthorizeAll (member: string | undefined): Promise<void> {
    const used = new Set(this.#used())
    await this.#reauthorizeIn([...used], member)
    for await (const names of this.#store.rooms()) await this.#reauthorizeIn(names.filter((name) => !used.has(name)), member)
  }

  async #reauthorizeIn (rooms: readonly string[], member: string | undefined): Promise<void> {
    for (let first = 0; first < rooms.length; first += CONCURRENT) {
      await Promise.all(rooms.slice(first, first + CONCURRENT).map((room) => this.#store.control(room, { reauthorize: { member } })))
    }
  }
}
