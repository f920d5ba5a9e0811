import assert from 'node:assert/strict'
import type { Entry, ReadPosition, Store } from '../../store.ts'
import { all, countAfter, readUpTo } from './entries.ts'
import { MixedLoad } from './mixed-load.ts'

/** A read position of the model. `epoch`: number of clears of the room before the entry was stored. */
interface Mark extends ReadPosition { readonly epoch: number }

/** A device of a member. `received`: the newest entry of each room that it has received; it may lag behind the room. */
interface Device { readonly member: string, readonly received: Map<string, Mark> }

const ROOMS = ['a', 'b', '__proto__']

/**
 * Makes posts, changes, clears, and marks of two devices of each of two members, one after another, in a pseudo-random order, which is
 * the same in each run. Knows the read positions that the store must have.
 */
export class ReadLoad {
  readonly #loads = new Map(ROOMS.map((room, i) => [room, new MixedLoad(room, i)]))
  readonly #epochs = new Map(ROOMS.map((room) => [room, 0]))
  readonly #devices: readonly Device[] = ['ada', 'ada', 'bob', 'bob'].map((member) => ({ member, received: new Map() }))
  /** By member and room. */
  readonly #marks = new Map([['ada', new Map<string, Mark>()], ['bob', new Map<string, Mark>()]])
  #random: number

  /** @param seed an integer */
  constructor (seed: number) {
    this.#random = seed
  }

  /** Makes a number of calls, each on any of the stores, which share their data. Checks the counts after each. */
  async run (stores: readonly Store[], calls: number): Promise<void> {
    for (let i = 0; i < calls; i++) {
      const room = this.#oneOf(ROOMS)
      await this.#next(this.#oneOf(stores), room)
      await this.#checkCounts(this.#oneOf(stores), room)
    }
  }

  /** Checks the read positions of all members. */
  async check (store: Store): Promise<void> {
    for (const [member, marks] of this.#marks) {
      const expected = [...marks.values()].map(({ epoch: _, ...position }) => position).toSorted((a, b) => a.room < b.room ? -1 : 1)
      assert.deepEqual(await store.readPositions(member), expected)
    }
    for (const room of ROOMS) await this.#checkCounts(store, room)
  }

  async #next (store: Store, room: string): Promise<void> {
    const kind = this.#below(100)
    const device = this.#oneOf(this.#devices)
    if (kind < 40) await this.#loads.get(room)!.next(store)
    else if (kind < 60) await this.#receive(store, room, device)
    else if (kind < 91) await this.#mark(store, device, kind % 2 === 0 ? ROOMS : [room])
    else if (kind < 97) await this.#forget(store, room, device)
    else await this.#clear(store, room)
  }

  async #receive (store: Store, room: string, { received }: Device): Promise<void> {
    const { entries } = await store.read(room, { ...all, limit: 3 })
    const entry: Entry | undefined = entries[this.#below(entries.length)]
    if (entry !== undefined) received.set(room, { ...readUpTo(room, entry), epoch: this.#epochs.get(room)! })
  }

  /** Marks an entry that a device has received. It may be older than the read position, or of an earlier epoch. */
  async #mark (store: Store, { member, received }: Device, rooms: readonly string[]): Promise<void> {
    const given = rooms.flatMap((room) => received.get(room) ?? [])
    await store.markRead(member, given.map(({ epoch: _, ...position }) => position))
    const marks = this.#marks.get(member)!
    for (const mark of given) {
      const kept = marks.get(mark.room)
      if (kept === undefined || isLater(mark, kept)) marks.set(mark.room, mark)
    }
  }

  /** Removes a read position: any, or only one that isn't later than what the device has received. */
  async #forget (store: Store, room: string, { member, received }: Device): Promise<void> {
    const upTo = this.#below(2) === 0 ? received.get(room) : undefined
    await store.forgetRead(member, room, upTo)
    const marks = this.#marks.get(member)!
    const kept = marks.get(room)
    if (kept !== undefined && (upTo === undefined || !isLater(kept, upTo))) marks.delete(room)
  }

  async #clear (store: Store, room: string): Promise<void> {
    await store.clear(room)
    this.#epochs.set(room, this.#epochs.get(room)! + 1)
  }

  /** Checks the numbers of unread entries of a room against the entries that are kept, and against the offsets. */
  async #checkCounts (store: Store, room: string): Promise<void> {
    for (const [member, marks] of this.#marks) {
      const mark = marks.get(room)
      const [position] = await store.readPositions(member, room)
      assert.equal(position?.position, mark?.position)
      if (mark === undefined) continue
      const page = await store.read(room, { ...all, readPosition: mark.position })
      const { unread = NaN, head, entries: { length: kept } } = page
      assert.equal(unread, countAfter(page, mark.position))
      assert.equal(unread, mark.epoch === this.#epochs.get(room) ? Math.min(head.offset - mark.offset, kept) : kept)
    }
  }

  #oneOf<T> (list: readonly T[]): T { return list[this.#below(list.length)]! }

  /** Returns an integer from 0 to below `n`. */
  #below (n: number): number {
    // The constants of Numerical Recipes.
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor(this.#random / 2 ** 32 * n)
  }
}

/** Returns whether a mark replaces another one. */
function isLater (mark: Mark, kept: Mark): boolean {
  return mark.at > kept.at || (mark.at === kept.at && (mark.epoch !== kept.epoch || mark.offset > kept.offset))
}
