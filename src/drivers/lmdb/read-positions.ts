import type { ReadPosition } from '../../store.ts'
import { boundedPositions, movesForward, staysAfter, type ReadCursor } from '../read-position.ts'
import { chargeOfMember } from './charge.ts'
import type { LmdbDatabase, Writes } from './database.ts'
import { decodeMember, encodeMember, useOf, withUse, type MemberRow } from './member-row.ts'
import { LmdbUses, USE_WRITE_INTERVAL } from './uses.ts'

/** The row of a member after the next commit, and `before`: on disk. undefined: there is none. */
interface Staged { row: MemberRow | undefined, readonly before: MemberRow | undefined }

/** The read positions of all members, as they are after the next commit. Discarded if the commit fails. */
export class LmdbReadPositions {
  readonly uses = new LmdbUses()
  readonly #database: LmdbDatabase
  /** Those that the next commit writes. */
  readonly #staged = new Map<string, Staged>()
  #growth = 0

  constructor (database: LmdbDatabase) {
    this.#database = database
  }

  get hasWrites (): boolean { return this.#staged.size > 0 }
  /** Bytes that the next commit adds to the charge. */
  get growth (): number { return this.#growth }

  /** Returns the bytes of a member's row on disk; 0 if there is none. */
  bytesOf (memberId: string): number { return this.#database.member(memberId)?.length ?? 0 }

  /** Returns the read positions of a member on disk, in the order of the room names. */
  read (memberId: string): ReadPosition[] {
    const row = this.#database.member(memberId)
    return row === undefined ? [] : decodeMember(row)
  }

  /** Records a use that moves no read position. Returns true if a commit should write it to disk. */
  use (memberId: string): boolean {
    const { row } = this.#of(memberId)
    return row !== undefined && this.uses.recordRead(memberId, useOf(row), Date.now())
  }

  /** Moves read positions forward. Beyond the bound, it removes those with the lowest time. */
  mark (memberId: string, positions: readonly ReadPosition[]): void {
    const state = this.#of(memberId)
    const { row } = state
    const kept = new Map((row === undefined ? [] : decodeMember(row)).map((position) => [position.room, position]))
    const moved = positions.filter((position) => {
      const isMoved = movesForward(position, kept.get(position.room))
      if (isMoved) kept.set(position.room, position)
      return isMoved
    })
    const now = Date.now()
    const used = row === undefined ? 0 : useOf(row)
    if (moved.length > 0) {
      this.#set(memberId, state, encodeMember(now - used >= USE_WRITE_INTERVAL ? now : used, boundedPositions(kept.values())))
      this.uses.record(memberId, now)
    } else if (row !== undefined) {
      this.uses.recordRead(memberId, used, now)
    }
  }

  /** Removes a read position, as `Store.forgetRead` specifies. */
  forget (memberId: string, room: string, upTo?: ReadCursor): void {
    const state = this.#of(memberId)
    const { row } = state
    if (row === undefined) return
    const positions = decodeMember(row)
    const kept = positions.filter((position) => position.room !== room || staysAfter(upTo, position))
    if (kept.length === 0) this.#remove(memberId, state)
    else if (kept.length < positions.length) this.#set(memberId, state, encodeMember(useOf(row), kept))
  }

  /** Adds the uses to the next commit that have to be written to disk. */
  writeUses (now: number): void {
    for (const memberId of this.uses.takeUnwritten()) this.#setUse(memberId, this.#of(memberId), this.uses.lastUse(memberId) ?? now)
  }

  /**
   * Removes the row of a member, or corrects its last use. Returns the steps taken; 0 if it did nothing.
   * @param used last use on disk @param since uses of that time and later ones keep the row
   * @param isLast whether a row that was used since must be removed too, because all were
   */
  evict (memberId: string, used: number, since: number, isLast: boolean, now: number): number {
    const state = this.#of(memberId)
    const { row } = state
    if (row === undefined || useOf(row) !== used) return 0
    const lastUse = Math.max(this.uses.lastUse(memberId) ?? 0, used)
    if (lastUse > used && !isLast) this.#setUse(memberId, state, lastUse)
    else if (lastUse < since || !this.#staged.has(memberId)) this.#remove(memberId, state)
    else this.#setUse(memberId, state, now)
    return 1
  }

  /** Adds the rows to the next commit. */
  write (writes: Writes): void {
    for (const [memberId, { row, before }] of this.#staged) {
      writes.member(memberId, row)
      const [was, is] = [before && useOf(before), row && useOf(row)]
      if (was === is) continue
      if (was !== undefined) writes.memberUse(memberId, was, false)
      if (is !== undefined) writes.memberUse(memberId, is, true)
    }
  }

  /** Called after a commit, whatever its outcome: the rows are on disk, or as they were. */
  settle (): void {
    this.#staged.clear()
    this.#growth = 0
  }

  #of (memberId: string): Staged {
    const staged = this.#staged.get(memberId)
    if (staged !== undefined) return staged
    const row = this.#database.member(memberId)
    return { row, before: row }
  }

  #setUse (memberId: string, state: Staged, used: number): void {
    if (state.row !== undefined) this.#set(memberId, state, withUse(state.row, used))
  }

  #remove (memberId: string, state: Staged): void {
    this.#set(memberId, state, undefined)
    this.uses.forget(memberId)
  }

  #set (memberId: string, state: Staged, row: MemberRow | undefined): void {
    this.#growth += chargeOf(memberId, row) - chargeOf(memberId, state.row)
    state.row = row
    this.#staged.set(memberId, state)
  }
}

function chargeOf (memberId: string, row: MemberRow | undefined): number { return row === undefined ? 0 : chargeOfMember(memberId, row) }
