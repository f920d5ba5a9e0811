import type { Database, RootDatabase } from 'lmdb'
import type { MemberRow } from './member-row.ts'

/** The last use of a member's read positions on disk. */
export interface MemberUse {
  /** ms since 1970 */
  readonly used: number
  readonly memberId: string
}

/**
 * The trees of the read positions: a row of each member, and the order of their last use. They are no trees of rooms, so that a version that
 * doesn't know them opens the directory and leaves them as they are.
 */
export class LmdbMemberRows {
  readonly #rows: Database<MemberRow, string>
  /** Values are unused. */
  readonly #uses: Database<number, [used: number, memberId: string]>

  constructor (root: RootDatabase<unknown, string>) {
    this.#rows = root.openDB<MemberRow, string>('readPositions', { encoding: 'binary' })
    this.#uses = root.openDB<number, [number, string]>('readPositionUses', { encoding: 'json' })
  }

  get (memberId: string): MemberRow | undefined { return this.#rows.getBinary(memberId) }

  /** Yields all members after a given one, the least recently used first. */
  * leastUsed (after?: MemberUse): Generator<MemberUse> {
    const range = after === undefined ? {} : { start: [after.used, after.memberId] as [number, string], exclusiveStart: true }
    for (const [used, memberId] of this.#uses.getKeys(range)) yield { used, memberId }
  }

  /** Adds a row to the commit that is being written; undefined removes it. */
  write (memberId: string, row: MemberRow | undefined): void {
    void (row === undefined ? this.#rows.remove(memberId) : this.#rows.put(memberId, row))
  }

  /** Adds a use to the order of use, or removes it. @param at time of the use, ms */
  writeUse (memberId: string, at: number, isLast: boolean): void {
    void (isLast ? this.#uses.put([at, memberId], 0) : this.#uses.remove([at, memberId]))
  }
}
